import assert from "node:assert/strict";
import { join } from "node:path";
import { run, until } from "../../../lab/run";
import { watchArguments } from "../../support/arguments";
import { snapshotCluster } from "../../support/clusterSnapshot";
import { assertSame, differences } from "../../support/snapshot";
import { snapshotVm } from "../../support/vmSnapshot";
import { parseUrn } from "../engineEvents";
import { kubectl, untilPodSees } from "../mesh";
import { assertInSync } from "../steps/serving";
import { answeringNodePorts } from "./nodePorts";
import { type ExistingStory, NODE_ADDRESSES } from "./story";

export const VM_ID = "spiffe://cluster.local/ns/vm/sa/vm1";
const POD_ID = "spiffe://cluster.local/ns/default/sa/sleep";

/** Nothing of a mesh that is there is made anew: what the stack makes is for hosts alone. */
const CREATED = [
  "command:local:Command ended-policies",
  "command:local:Command ended-vm/vm1",
  "command:local:Command vm1-withdrawal",
  "command:remote:Command vm1-access",
  "command:remote:Command vm1-join",
  "istio-vm:index:ControlPlaneExposure exposure",
  "istio-vm:index:EndedIdentities ended",
  "istio-vm:index:ExternalService service-vm-vmhttp",
  "istio-vm:index:MeshHost vm1",
  "istio-vm:index:MeshWorkload vm1-workload",
  "istio-vm:index:SampleClient sleep",
  "istio-vm:index:ServiceMembership vm1-membership",
  "kubernetes:apps/v1:Deployment sleep-deployment",
  "kubernetes:core/v1:Namespace namespace-vm",
  "kubernetes:core/v1:Service exposure-istiod-vm",
  "kubernetes:core/v1:Service service-vm-vmhttp-service",
  "kubernetes:core/v1:ServiceAccount account-vm/vm1",
  "kubernetes:core/v1:ServiceAccount sleep-account",
  "kubernetes:networking.istio.io/v1:ServiceEntry service-vm-vmhttp-entry",
  "kubernetes:networking.istio.io/v1:ServiceEntry vm1-workload-vm/vmhttp",
  "kubernetes:networking.istio.io/v1:WorkloadEntry vm1-membership-vm",
  "pulumi:index:Stash vm1-renewed",
  "pulumi:providers:kubernetes cluster",
  "random:index/randomId:RandomId owner",
];

/**
 * A pod's request reaches the VM, by mutual TLS, and its sidecar has its configuration from istiod at one of these places,
 * and from that revision of it.
 */
export async function serves(story: ExistingStory, places: string[], revision = "default"): Promise<void> {
  const answer = await untilPodSees("the VM's page by mutual TLS", ({ server }) => server !== undefined);
  assert.match(answer.page, /^This is vm1\./);
  assert.equal(answer.server, VM_ID, answer.page);
  assert.equal(answer.client, POD_ID, answer.page);
  assertInSync(await run(["istioctl", "proxy-status", `--revision=${revision}`]), "vm1.vm");
  const connected = await story.istiodOfVm();
  assert.ok(
    connected.length > 0 && connected.every((peer) => places.includes(peer)),
    `the agent is connected to ${connected.join(", ")}, not ${places.join(" or ")}`,
  );
}

/** The node port of a Service that leads to istiod's port. */
export async function nodePortOf(namespace: string, service: string): Promise<number> {
  const path = "{.spec.ports[?(@.port==15012)].nodePort}";
  return Number(await kubectl("get", "service", service, `--namespace=${namespace}`, `--output=jsonpath=${path}`));
}

/** Besides those that answered before, just this node port does. */
export async function opensOnly(story: ExistingStory, ...ports: number[]): Promise<void> {
  const wanted = [...story.nodePorts, ...ports].sort((a, b) => a - b);
  for (const address of NODE_ADDRESSES) assert.deepEqual(await answeringNodePorts(address), wanted, address);
}

export function joining(story: ExistingStory): void {
  describe("the first preview", () => {
    it("lists what is for hosts, and nothing of the mesh; nothing is changed", async () => {
      const { stdout } = await story.stack.succeed(["preview", "--json"]);
      const { steps } = JSON.parse(stdout) as { steps: { op: string; urn: string }[] };
      const wanted = steps.flatMap(({ op, urn }) => {
        const { type, name } = parseUrn(urn);
        return type === "pulumi:pulumi:Stack" ? [] : [`${op} ${type} ${name}`];
      });
      assert.deepEqual(
        wanted.sort(),
        CREATED.map((resource) => `create ${resource}`),
      );
      assertSame(story.before.cluster, await snapshotCluster(), "the cluster");
      assertSame(story.before.vm1, await snapshotVm(story.lab, "vm1"), "vm1");
    });

    it("is what doctor expects to succeed", async () => {
      const said = await story.cli("doctor");
      assert.match(said, /^ {2}✓ IVM317 /m);
    });
  });

  describe("the first up", () => {
    before(async () => {
      const log = join(story.folder, "first-up.log");
      const seen = await watchArguments(() => story.bring(story.config, `--event-log=${log}`));
      for (const line of seen) story.arguments.add(line);
    });

    it("joins the VM by a token: a pod's request reaches it by mutual TLS, each side knows the other", async () => {
      const port = await nodePortOf("istio-system", "istiod-vm");
      await serves(
        story,
        NODE_ADDRESSES.map((address) => `${address}:${port}`),
      );
      assert.equal(
        story.fileOfVm("/etc/hosts").match(/ istiod\.istio-system\.svc$/gm)?.length,
        NODE_ADDRESSES.length,
        "a line of /etc/hosts for each node",
      );
    });

    it("shows in the stack's outputs what it found", async () => {
      const { stdout } = await story.stack.succeed(["stack", "output", "--json"]);
      const { controlPlanes, meshHosts } = JSON.parse(stdout) as Record<string, object>;
      const reached = {
        addresses: NODE_ADDRESSES,
        port: await nodePortOf("istio-system", "istiod-vm"),
        name: "istiod.istio-system.svc",
      };
      assert.deepEqual(controlPlanes, {
        default: {
          revision: "default",
          tags: [],
          version: "1.31.0-eed52ebb",
          service: "istiod",
          namespace: "istio-system",
          rootNamespace: "istio-system",
          trustDomain: "cluster.local",
          clusterName: "Kubernetes",
          dualStack: false,
          audience: "istio-ca",
          istiod: reached,
        },
      });
      const { state, istiod, ...vm1 } = (meshHosts as Record<string, Record<string, unknown>>).vm1!;
      assert.deepEqual(vm1, { identity: VM_ID, revision: "default" });
      assert.match(String(state), /in sync with istiod/);
      assert.deepEqual(istiod, reached);
    });

    it("changes nothing that was in the cluster", async () => {
      const changed = differences(story.before.cluster, await snapshotCluster()).filter(
        (line) => !line.startsWith("+"),
      );
      assert.deepEqual(changed, []);
    });

    it("is found well by doctor and status", async () => {
      await story.cli("doctor");
      const said = await story.cli("status");
      assert.match(said, /^✓ vm1 .* yes .* cluster\.local\/ns\/vm\/sa\/vm1 /m);
      assert.match(said, /^✓ vmhttp\.vm .* HTTP 200 /m);
    });

    it("opens one node port, that of istiod's 15012, and no other", async () => {
      await opensOnly(story, await nodePortOf("istio-system", "istiod-vm"));
    });
  });

  describe("a second time, with nothing changed", () => {
    it("changes nothing", () => story.stack.succeed(["up", "--yes", "--skip-preview", "--expect-no-changes"]).then());
    it("finds the cluster as the stack left it", () =>
      story.stack.succeed(["refresh", "--yes", "--skip-preview", "--expect-no-changes"]).then());
  });

  describe("a node that dies", () => {
    let dead: string;
    let alive: string;
    before(async () => {
      const [peer] = await story.istiodOfVm();
      dead = peer!.split(":")[0]!;
      alive = NODE_ADDRESSES.find((address) => address !== dead)!;
      await story.ofNode("nft", "add", "table", "ip", "e2e");
      await story.ofNode("nft", "add", "chain", "ip", "e2e", "dead", "{ type filter hook prerouting priority raw; }");
      await story.ofNode(
        "nft",
        "add",
        "rule",
        "ip",
        "e2e",
        "dead",
        "ip",
        "daddr",
        dead,
        "ip",
        "saddr",
        "172.30.0.21",
        "drop",
      );
    });
    after(() => story.ofNode("nft", "delete", "table", "ip", "e2e"));

    it("cuts nobody off: the sidecar goes to the other one by itself", async () => {
      const port = await nodePortOf("istio-system", "istiod-vm");
      await until("the agent to find the other node", 120, async () =>
        (await story.istiodOfVm()).includes(`${alive}:${port}`),
      );
      await untilPodSees("the VM's page", ({ page }) => page.startsWith("This is vm1."));
    });

    it("may still be in the configuration when a host joins, and be taken off it then", async () => {
      const port = await nodePortOf("istio-system", "istiod-vm");
      const [vm1] = story.config.hosts as object[];
      await story.bring({ ...story.config, hosts: [{ ...vm1, labels: { app: "vmhttp", tier: "web" } }] });
      await serves(story, [`${alive}:${port}`]);
      await story.bring({ ...story.config, exposure: { type: "NodePort", nodeAddresses: [alive] } });
      await serves(story, [`${alive}:${port}`]);
      assert.doesNotMatch(story.fileOfVm("/etc/hosts"), new RegExp(`^${dead.replaceAll(".", "\\.")} `, "m"));
    });
  });
}
