/** How hosts reach istiod, and pods and hosts each other: each a stack in which every direction is tried. */
import { type Lab, node, vmByName } from "../../../lab/paths";
import { exampleConfig } from "../../examples/example";
import { otherNetwork } from "../../examples/otherNetwork";
import { labConfig, type StackConfig } from "../../support/testStack";
import { Cloud } from "../existing/cloud";

export interface Way {
  /** Two hosts that serve, and call each other. */
  hosts: [string, string];
  config: () => StackConfig;
  /** What of it an update before had otherwise. */
  earlier?: object;
  /** What the stack's configuration has of a host. */
  host: (lab: Lab, name: string) => object;
  /** Hosts beside those. */
  beside?: () => object[];
  /** What is there before the stack, and is taken away after it. */
  prepare?(lab: Lab): Promise<void>;
  end?(lab: Lab): Promise<void>;
}

const own = (lab: Lab, name: string) => ({ name, address: vmByName(lab, name).address, namespace: "vm" });
const nodeAddresses = [node.address];
const cloud = new Cloud();

/** In a network with a route to the cluster, by this exposure of istiod. */
const exposedBy = (exposure: object): Way => ({
  hosts: ["vm1", "vm2"],
  config: () => ({ ...labConfig(), exposure }),
  host: own,
});

const elsewhere = () => exampleConfig("other-network") as { hosts: { name: string; gateway?: boolean }[] };

const nodePort = { type: "NodePort", nodeAddresses };

export const NODE_PORT = exposedBy(nodePort);

export const OTHER_WAYS: Record<string, Way> = {
  // After a NodePort: its types of Services must be taken back, while what set them is still there.
  EastWestGateway: {
    ...exposedBy({ type: "EastWestGateway", nodeAddresses }),
    earlier: { exposure: nodePort },
  },
  LoadBalancer: {
    ...exposedBy({ type: "LoadBalancer" }),
    async prepare() {
      await cloud.begin();
      cloud.give("istio-system", "istio-ingressgateway", "ip");
    },
    end: () => cloud.end(),
  },
  "EastWestGateway, hosts without a route": {
    hosts: ["vm2", "vm3"],
    config: elsewhere,
    host: (_, name) => elsewhere().hosts.find((host) => host.name === name)!,
    beside: () => elsewhere().hosts.filter(({ gateway }) => gateway),
    prepare: (lab) => otherNetwork.prepare!(lab),
    end: (lab) => otherNetwork.end!(lab),
  },
};
