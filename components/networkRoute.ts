import { Service } from "@pulumi/kubernetes/core/v1";
import * as pulumi from "@pulumi/pulumi";
import { ownerLabels } from "../mesh/kubernetesObject";
import { gatewayServiceSpec, networkLabel } from "../mesh/networkGateway";

export interface NetworkRouteArgs {
  /** The name of the host that is the gateway (NetworkGateway). */
  host: string;
  /** Its namespace. */
  namespace: pulumi.Input<string>;
  /** Its address, as other networks reach it. */
  address: string;
  /** The network that it leads into. */
  network: string;
  /** The stack's owner mark. */
  owner: pulumi.Input<string>;
}

/** That other networks are sent to a gateway: when it has joined, and until it leaves. */
export class NetworkRoute extends pulumi.ComponentResource {
  constructor(name: string, args: NetworkRouteArgs, opts: pulumi.ComponentResourceOptions = {}) {
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
