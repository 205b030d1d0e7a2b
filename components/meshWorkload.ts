import { CustomResource } from "@pulumi/kubernetes/apiextensions";
import * as pulumi from "@pulumi/pulumi";
import { inboundEntrySpec, serviceHost, type ServiceName, type ServicePort } from "../mesh/externalService";
import { ownerLabels } from "../mesh/kubernetesObject";
import { detectionFilterSpec } from "../mesh/protocolDetection";
import { type Workload, WORKLOAD_ENTRY, workloadEntryAnnotations, workloadEntrySpec } from "../mesh/workloadEntry";

export interface MeshWorkloadArgs {
  /** The host's name, which its entries have. */
  host: string;
  /** The host's own namespace. */
  namespace: string;
  /** The services that it is to serve. */
  services: (ServiceName & { ports: ServicePort[] })[];
  workload: pulumi.Input<Workload>;
  /** Whether clients without a sidecar are to be answered where its server speaks first. Default: false. */
  serverMaySpeakFirst?: boolean;
  /** The domain of the cluster's DNS. Default: cluster.local. */
  clusterDomain?: string;
  /** The stack's owner mark. */
  owner: pulumi.Input<string>;
}

/**
 * A host as istiod knows it, before it serves anything: WorkloadEntries, one in each namespace of its services, which come
 * to select them later, and what its sidecar takes for them.
 */
export class MeshWorkload extends pulumi.ComponentResource {
  /** @param opts `dependsOn` has its services: what the sidecar takes for them shall be younger (inboundEntrySpec) */
  constructor(name: string, args: MeshWorkloadArgs, opts: pulumi.ComponentResourceOptions = {}) {
    // Its children wait, not the component: see ServiceMembership.
    const { dependsOn, ...rest } = opts;
    super("istio-vm:index:MeshWorkload", name, {}, rest);
    const {
      host,
      namespace: own,
      owner,
      services,
      serverMaySpeakFirst = false,
      clusterDomain = "cluster.local",
    } = args;
    const labels = ownerLabels(owner);
    const workload = pulumi.output(args.workload);
    for (const namespace of new Set(services.map((service) => service.namespace))) {
      const annotations = workload.apply((one) => workloadEntryAnnotations(one, namespace === own)!);
      new CustomResource(
        `${name}-${namespace}`,
        {
          ...WORKLOAD_ENTRY,
          metadata: { name: host, namespace, labels, annotations },
          spec: workload.apply(workloadEntrySpec),
        },
        { parent: this, dependsOn },
      );
    }
    for (const { name: service, namespace, ports } of services) {
      const full = serviceHost(service, namespace, clusterDomain);
      new CustomResource(
        `${name}-${namespace}/${service}`,
        {
          apiVersion: "networking.istio.io/v1",
          kind: "ServiceEntry",
          // No service has such a name.
          metadata: { name: `${service}.${namespace}.${host}`, namespace: own, labels },
          spec: workload.apply((one) => inboundEntrySpec(full, ports, host, one)),
        },
        { parent: this, dependsOn },
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
        { parent: this, dependsOn },
      );
    }
    this.registerOutputs();
  }
}
