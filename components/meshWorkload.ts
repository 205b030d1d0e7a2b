import { CustomResource } from "@pulumi/kubernetes/apiextensions";
import * as pulumi from "@pulumi/pulumi";
import { inboundEntrySpec, serviceHost, type ServiceName, type ServicePort } from "../mesh/externalService";
import { ownerLabels } from "../mesh/kubernetesObject";
import { detectionFilterSpec } from "../mesh/protocolDetection";
import {
  HEALTH_CHECKED,
  probedEntry,
  servesLabels,
  type Workload,
  WORKLOAD_ENTRY,
  workloadEntrySpec,
} from "../mesh/workloadEntry";

export interface MeshWorkloadArgs {
  /** The host's name. */
  host: string;
  /** The host's own namespace. */
  namespace: string;
  /** The services that it is to serve. */
  services: (ServiceName & { ports: ServicePort[] })[];
  workload: pulumi.Input<Workload>;
  /** It is probed: the services of its namespace that it serves while its sidecar says that it can. Default: it is not. */
  probed?: { serves: string[] };
  /** Whether clients without a sidecar are to be answered where its server speaks first. Default: false. */
  serverMaySpeakFirst?: boolean;
  /** The domain of the cluster's DNS. Default: cluster.local. */
  clusterDomain?: string;
  /** The stack's owner mark. */
  owner: pulumi.Input<string>;
}

/**
 * A host as istiod knows it before it joins and until it has left: what its sidecar takes for its services, and whether it
 * can serve, if it is probed.
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
      probed,
      serverMaySpeakFirst = false,
      clusterDomain = "cluster.local",
    } = args;
    const labels = ownerLabels(owner);
    const workload = pulumi.output(args.workload);
    if (probed) {
      new CustomResource(
        `${name}-probed`,
        {
          ...WORKLOAD_ENTRY,
          metadata: {
            ...{ name: probedEntry(host), namespace: own, annotations: HEALTH_CHECKED },
            labels: ownerLabels(owner, servesLabels(probed.serves)),
          },
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
