import assert from "node:assert/strict";
import { node } from "../../../lab/paths";
import { becomesSame, type Snapshot } from "../../support/snapshot";
import { snapshotCluster } from "../../support/clusterSnapshot";
import { kubectl } from "../mesh";
import { nodePortOf, opensOnly, serves } from "./joining";
import { type ExistingStory, INGRESS } from "./story";

export const GATEWAY = { service: "istio-vm-gateway", namespace: "istio-vm" };

interface ServiceObject {
  spec: { ports: { name: string; port: number; nodePort?: number }[] };
}

const ingressOf = async () =>
  JSON.parse(
    await kubectl("get", "service", INGRESS.service, `--namespace=${INGRESS.namespace}`, "--output=json"),
  ) as ServiceObject;

/** Of a name alone nothing is in /etc/hosts, and the agent dials it as it is. */
export function dialsByName(story: ExistingStory, name: string): void {
  assert.doesNotMatch(story.fileOfVm("/etc/hosts"), /istiod/);
  const env = story.fileOfVm("/var/lib/istio/envoy/cluster.env");
  assert.match(env, new RegExp(`^PILOT_ADDRESS='?${name.replaceAll(".", "\\.")}:15012'?$`, "m"));
}

/** What there is of the ingress gateway, and in the gateway's namespace. */
async function gatewayObjects(): Promise<Snapshot> {
  const all = await snapshotCluster();
  return new Map(
    [...all].filter(([name]) => / (Service|Gateway|VirtualService|DestinationRule) istio-system\//.test(name)),
  );
}

export function exposingByTheirGateway(story: ExistingStory): void {
  describe("through the ingress gateway that is there, whose load balancer has but a name", () => {
    before(() => story.bring({ ...story.config, exposure: { type: "LoadBalancer" } }));

    it("serves, by that name", async () => {
      await serves(story, [`${story.cloud.address}:15012`]);
      dialsByName(story, story.cloud.name);
    });

    it("is as it is: a second time nothing changes", () =>
      story.stack.succeed(["up", "--yes", "--skip-preview", "--expect-no-changes"]).then());

    it("adds one port to the gateway's Service, and its node port is the only one more that answers", async () => {
      const before = story.before.cluster.get(`v1 Service ${INGRESS.namespace}/${INGRESS.service}`)!;
      const was = JSON.parse(before) as ServiceObject;
      const is = await ingressOf();
      const added = is.spec.ports.filter(({ port }) => port === 15012);
      assert.equal(added.length, 1);
      assert.deepEqual({ ...is.spec, ports: is.spec.ports.filter(({ port }) => port !== 15012) }, was.spec);
      await opensOnly(story, added[0]!.nodePort!);
    });
  });
}

export function exposingByAGatewayOfOurOwn(story: ExistingStory): void {
  describe("through a gateway of our own", () => {
    before(() =>
      story.bring({ ...story.config, exposure: { type: "EastWestGateway", nodeAddresses: [node.address] } }),
    );

    it("serves, by its node port, which is the only one more that answers", async () => {
      const port = await nodePortOf(GATEWAY.namespace, GATEWAY.service);
      await serves(story, [`${node.address}:${port}`]);
      await opensOnly(story, port);
    });

    it("has given back the ingress gateway as it was, node ports included", async () => {
      const before = new Map([...story.before.cluster].filter(([name]) => / istio-system\//.test(name)));
      const wanted = new Map(
        [...before].filter(([name]) => / (Service|Gateway|VirtualService|DestinationRule) /.test(name)),
      );
      await becomesSame(wanted, gatewayObjects, "the ingress gateway");
    });

    it("serves by a load balancer with an address of its own", async () => {
      story.cloud.give(GATEWAY.namespace, GATEWAY.service, "ip");
      await story.bring({ ...story.config, exposure: { type: "EastWestGateway" } });
      await serves(story, [`${story.cloud.address}:15012`]);
      assert.match(story.fileOfVm("/etc/hosts"), new RegExp(`^${story.cloud.address} istiod`, "m"));
    });
  });
}
