import { CustomResource } from "@pulumi/kubernetes/apiextensions";
import * as pulumi from "@pulumi/pulumi";
import { ownerLabels } from "../mesh/kubernetesObject";
import { detectionFilterSpec } from "../mesh/protocolDetection";
import { type Workload, WORKLOAD_ENTRY, workloadEntryAnnotations, workloadEntrySpec } from "../mesh/workloadEntry";

export interface MeshWorkloadArgs {
  /** The host's name, which its entries have. */
  host: string;
  /** The host's own namespace. */
  namespace: string;
  /** The namespaces of its services: each has an entry. */
  serviceNamespaces: string[];
  workload: pulumi.Input<Workload>;
  /** Whether clients without a sidecar are to be answered where its server speaks first. Default: false. */
  serverMaySpeakFirst?: boolean;
  /** The stack's owner mark. */
  owner: pulumi.Input<string>;
}

/** A host as istiod knows it, before it serves anything: WorkloadEntries, which its services come to select later. */
export class MeshWorkload extends pulumi.ComponentResource {
  constructor(name: string, args: MeshWorkloadArgs, opts?: pulumi.ComponentResourceOptions) {
    super("istio-vm:index:MeshWorkload", name, {}, opts);
    const { host, namespace: own, owner, serverMaySpeakFirst = false } = args;
    const labels = ownerLabels(owner);
    const workload = pulumi.output(args.workload);
    for (const namespace of args.serviceNamespaces) {
      const annotations = workload.apply((one) => workloadEntryAnnotations(one, namespace === own)!);
      new CustomResource(
        `${name}-${namespace}`,
        {
          ...WORKLOAD_ENTRY,
          metadata: { name: host, namespace, labels, annotations },
          spec: workload.apply(workloadEntrySpec),
        },
        { parent: this },
      );
    }
    if (serverMaySpeakFirst) {
      new CustomResource(
        `${name}-detection`,
        {
          apiVersion: "networking.istio.io/v1alpha3",
          kind: "EnvoyFilter",
          metadata: { name: `${host}-detection`, namespace: own, labels },
          spec: detectionFilterSpec(host),
        },
        { parent: this },
      );
    }
    this.registerOutputs();
  }
}
