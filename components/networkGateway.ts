import { CustomResource } from "@pulumi/kubernetes/apiextensions";
import { Service } from "@pulumi/kubernetes/core/v1";
import * as pulumi from "@pulumi/pulumi";
import { HOST_LABEL, ownerLabels } from "../mesh/kubernetesObject";
import { crossNetworkSpec } from "../mesh/networkGateway";

export interface NetworkGatewayArgs {
  /** The name of the host that is the gateway. */
  host: string;
  /** Its namespace. */
  namespace: string;
  /** Its address, as other networks reach it. */
  address: string;
  /** The network that it leads into. */
  network: string;
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

/** That other networks are sent to a gateway: when it has joined, and until it leaves. */
export class NetworkRoute extends pulumi.ComponentResource {
  constructor(name: string, args: NetworkGatewayArgs, opts: pulumi.ComponentResourceOptions = {}) {
    // Its child waits, not the component: see ServiceMembership.
    const { dependsOn, ...rest } = opts;
    super("istio-vm:index:NetworkRoute", name, {}, rest);
    const { host, namespace, address, network, owner } = args;
    new Service(
      `${name}-service`,
      {
        metadata: { name: `${host}-gateway`, namespace, labels: ownerLabels(owner, networkLabel(network)) },
        spec: gatewayServiceSpec(address),
      },
      { parent: this, dependsOn },
    );
    this.registerOutputs();
  }
}
