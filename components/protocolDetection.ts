import { CustomResource } from "@pulumi/kubernetes/apiextensions";
import * as pulumi from "@pulumi/pulumi";
import { ownerLabels } from "../mesh/kubernetesObject";
import { detectionFilterSpec } from "../mesh/protocolDetection";

export interface ProtocolDetectionArgs {
  /** The host's name, as its workload's label `pulumi-istio-vm/host` has it. */
  host: string;
  /** The host's namespace. */
  namespace: pulumi.Input<string>;
  /** The stack's owner mark. */
  owner: pulumi.Input<string>;
}

/** Lets clients without a sidecar go on to be answered where the server speaks first (mesh/protocolDetection.ts). */
export class ProtocolDetection extends pulumi.ComponentResource {
  constructor(name: string, { host, namespace, owner }: ProtocolDetectionArgs, opts?: pulumi.ComponentResourceOptions) {
    super("istio-vm:index:ProtocolDetection", name, {}, opts);
    new CustomResource(
      `${name}-filter`,
      {
        apiVersion: "networking.istio.io/v1alpha3",
        kind: "EnvoyFilter",
        metadata: { name: `${host}-detection`, namespace, labels: ownerLabels(owner) },
        spec: detectionFilterSpec(host),
      },
      { parent: this },
    );
    this.registerOutputs();
  }
}
