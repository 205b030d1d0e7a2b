import { CustomResource } from "@pulumi/kubernetes/apiextensions";
import { Service } from "@pulumi/kubernetes/core/v1";
import * as pulumi from "@pulumi/pulumi";
import {
  type ServicePort,
  serviceAnnotations,
  serviceEntrySpec,
  serviceHost,
  serviceSpec,
  serviceUrl,
} from "../mesh/externalService";
import { ownerLabels } from "../mesh/kubernetesObject";

export interface ExternalServiceArgs {
  /** The name of the Service. */
  serviceName: pulumi.Input<string>;
  namespace: pulumi.Input<string>;
  ports: pulumi.Input<ServicePort[]>;
  /** SPIFFE IDs of hosts that serve it and are of another namespace. Default: none. */
  foreignIdentities?: pulumi.Input<string[]>;
  /** Whether clients shall find it at addresses of both families, as far as the cluster has them. Default: false. */
  dualStack?: boolean;
  /** The domain of the cluster's DNS. Default: cluster.local. */
  clusterDomain?: pulumi.Input<string>;
  /** The stack's owner mark. */
  owner: pulumi.Input<string>;
}

/**
 * A service that hosts of the mesh offer to pods: a ServiceEntry, by which sidecars know who serves it (MeshWorkload) and
 * whom to expect there, and a Service without selector, by which its name resolves.
 */
export class ExternalService extends pulumi.ComponentResource {
  /** The URL of its first port, for a client in the mesh. */
  readonly url: pulumi.Output<string>;

  constructor(name: string, args: ExternalServiceArgs, opts?: pulumi.ComponentResourceOptions) {
    super("istio-vm:index:ExternalService", name, {}, opts);
    const { serviceName, namespace, ports, dualStack, foreignIdentities = [], clusterDomain = "cluster.local" } = args;
    const host = pulumi.all([serviceName, namespace, clusterDomain]).apply((parts) => serviceHost(...parts));
    const metadata = { name: serviceName, namespace, labels: ownerLabels(args.owner) };
    const annotations = pulumi.output(foreignIdentities).apply((list) => serviceAnnotations(list)!);
    new Service(
      `${name}-service`,
      {
        metadata: { ...metadata, annotations },
        spec: pulumi.output(ports).apply((list) => serviceSpec(list, dualStack)),
      },
      { parent: this },
    );
    new CustomResource(
      `${name}-entry`,
      {
        apiVersion: "networking.istio.io/v1",
        kind: "ServiceEntry",
        metadata,
        spec: pulumi.all([host, serviceName, ports, foreignIdentities]).apply((parts) => serviceEntrySpec(...parts)),
      },
      { parent: this },
    );
    this.url = pulumi.all([host, ports]).apply(([h, [first]]) => serviceUrl(h, first as ServicePort));
    this.registerOutputs({ url: this.url });
  }
}
