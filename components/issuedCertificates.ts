import { ConfigMap } from "@pulumi/kubernetes/core/v1";
import * as pulumi from "@pulumi/pulumi";
import { ISSUED, type IssuedCertificate, issuedCertificate, issuedData } from "../mesh/revocation";
import { ownerLabels } from "../mesh/kubernetesObject";

export interface IssuedCertificatesArgs {
  /** Those that were before and have not ended. Default: none. */
  earlier?: IssuedCertificate[];
  /** What hosts are sent: their certificates and the issuers of those, by the names of the hosts. */
  current: Record<string, pulumi.Input<string>>;
  /** The stack's owner mark. */
  owner: pulumi.Input<string>;
}

/**
 * Which certificates hosts were sent, in a ConfigMap in istio-system: so that they can still be revoked when the stack has
 * them no more. It is written before a host has its certificate.
 */
export class IssuedCertificates extends pulumi.ComponentResource {
  constructor(name: string, args: IssuedCertificatesArgs, opts?: pulumi.ComponentResourceOptions) {
    super("istio-vm:index:IssuedCertificates", name, {}, opts);
    const { earlier = [], current, owner } = args;
    const data = pulumi
      .output(current)
      .apply((chains) =>
        issuedData([...earlier, ...Object.entries(chains).map(([host, chain]) => issuedCertificate(host, chain))]),
      );
    new ConfigMap(
      `${name}-record`,
      { metadata: { name: ISSUED, namespace: "istio-system", labels: ownerLabels(owner) }, data },
      { parent: this },
    );
    this.registerOutputs();
  }
}
