import { CustomResource } from "@pulumi/kubernetes/apiextensions";
import * as pulumi from "@pulumi/pulumi";
import { destinationRuleSpec, serviceHost, type TrafficPolicy } from "../mesh/externalService";
import { ownerLabels } from "../mesh/kubernetesObject";

export interface ServiceTrafficArgs {
  /** The name of the Service. */
  serviceName: pulumi.Input<string>;
  namespace: pulumi.Input<string>;
  /** The trafficPolicy of a DestinationRule, such as `{ outlierDetection }`. Default: none. */
  trafficPolicy?: pulumi.Input<TrafficPolicy>;
  /** Whether clients are to speak plain text to it, for there is a host whose sidecar does not take it. Default: false. */
  plain?: boolean;
  /** The domain of the cluster's DNS. Default: cluster.local. */
  clusterDomain?: pulumi.Input<string>;
  /** The stack's owner mark. */
  owner: pulumi.Input<string>;
}

/** How clients in the mesh speak to a service (ExternalService), where that is not left to Istio: a DestinationRule. */
export class ServiceTraffic extends pulumi.ComponentResource {
  constructor(name: string, args: ServiceTrafficArgs, opts: pulumi.ComponentResourceOptions = {}) {
    // Its child waits, not the component: see ServiceMembership.
    const { dependsOn, ...rest } = opts;
    super("istio-vm:index:ServiceTraffic", name, {}, rest);
    const { serviceName, namespace, trafficPolicy = {}, plain = false, clusterDomain = "cluster.local" } = args;
    const host = pulumi.all([serviceName, namespace, clusterDomain]).apply((parts) => serviceHost(...parts));
    new CustomResource(
      `${name}-rule`,
      {
        apiVersion: "networking.istio.io/v1",
        kind: "DestinationRule",
        metadata: { name: serviceName, namespace, labels: ownerLabels(args.owner) },
        spec: pulumi.all([host, trafficPolicy]).apply(([name, policy]) => destinationRuleSpec(name, policy, plain)),
      },
      { parent: this, dependsOn },
    );
    this.registerOutputs();
  }
}
