import { CustomResource } from "@pulumi/kubernetes/apiextensions";
import * as pulumi from "@pulumi/pulumi";
import { HOST_LABEL, ownerLabels } from "../mesh/kubernetesObject";
import { crossNetworkSpec } from "../mesh/networkGateway";

export interface NetworkGatewayArgs {
  /** The name of the host that is the gateway. */
  host: string;
  /** Its namespace. */
  namespace: string;
  /** The domain of the cluster's DNS. Default: cluster.local. */
  clusterDomain?: pulumi.Input<string>;
  /** The stack's owner mark. */
  owner: pulumi.Input<string>;
}

/** What a host that is a gateway passes on, which it hears of when it joins: the mesh's services in its network. */
export class NetworkGateway extends pulumi.ComponentResource {
  constructor(name: string, args: NetworkGatewayArgs, opts?: pulumi.ComponentResourceOptions) {
    super("istio-vm:index:NetworkGateway", name, {}, opts);
    const { host, namespace, clusterDomain = "cluster.local", owner } = args;
    new CustomResource(
      `${name}-cross-network`,
      {
        apiVersion: "networking.istio.io/v1",
        kind: "Gateway",
        metadata: { name: `${host}-gateway`, namespace, labels: ownerLabels(owner) },
        spec: pulumi.output(clusterDomain).apply((domain) => crossNetworkSpec({ [HOST_LABEL]: host }, domain)),
      },
      { parent: this },
    );
    this.registerOutputs();
  }
}
