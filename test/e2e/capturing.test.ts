/** A host that is taken into the mesh step by step, and out again, by the program: with clients of both kinds. */
import assert from "node:assert/strict";
import { assertInsideLab } from "../../lab/exec";
import { labByName, vmByName } from "../../lab/paths";
import { resetVm, vmExec } from "../../lab/vm";
import { THOROUGH } from "../host/times";
import { fromPod, fromVm, requestsDuring } from "../support/traffic";
import { labConfig, TestStack } from "../support/testStack";
import { askFromPod, askPlainly, SERVICE_URL, untilPlainly, untilPodSees, withStrictTls } from "./mesh";

const ID = "spiffe://cluster.local/ns/vm/sa/vm1";

describe("a host that lets more and more go through its sidecar, and then less", () => {
  assertInsideLab();
  const lab = labByName();
  const stack = new TestStack();
  const { address } = vmByName(lab, "vm1");
  const config = labConfig();
  const [host] = config.hosts as object[];
  const configure = (change: object) => stack.configure({ ...config, hosts: [{ ...host, ...change }] });
  const up = () => stack.succeed(["up", "--yes", "--skip-preview"]);

  before(async () => {
    await resetVm(lab, "vm1");
    await resetVm(lab, "vm2");
    await stack.init(config);
    configure({ capture: "none", inboundPorts: [] });
    await up();
  });
  after(async () => {
    await stack.succeed(["destroy", "--yes", "--skip-preview"]);
    stack.remove();
  });

  it("is reached in plain text while nothing is captured, and a policy for it has no effect", async () => {
    const { server } = await untilPodSees("the host's page", ({ page }) => page.startsWith("This is vm1."));
    assert.equal(server, undefined);
    await withStrictTls(async () => {
      await untilPodSees("the host's page", ({ page }) => page.startsWith("This is vm1."));
      assert.equal(await askPlainly(address, 8080), "answered");
    });
  });

  it("shows what will be captured, line by line", async () => {
    configure({ capture: "inbound", inboundPorts: [8080] });
    const { stdout } = await stack.succeed(["preview", "--diff"]);
    assert.match(stdout, /- cluster\.env ISTIO_INBOUND_PORTS=$/m);
    assert.match(stdout, /\+ cluster\.env ISTIO_INBOUND_PORTS=8080$/m);
    assert.match(stdout, /- cluster\.env ISTIO_CUSTOM_IP_TABLES=true$/m);
    assert.match(stdout, /- kubernetes:networking\.istio\.io\/v1:DestinationRule: \(delete\)/);
  });

  const step = (what: string, capture: string, inboundPorts: number[]) =>
    [what, { capture, inboundPorts }, capture === "none" ? undefined : ID] as const;
  for (const [what, change, server] of [
    step("inbound, one port", "inbound", [8080]),
    ...(THOROUGH ? [step("inbound, more ports", "inbound", [8080, 9090])] : []),
    step("all", "all", [8080, 9090]),
    ...(THOROUGH ? [step("inbound again", "inbound", [8080, 9090])] : []),
    step("none", "none", [8080, 9090]),
    ...(THOROUGH ? [step("all at once", "all", [8080]), step("none at once", "none", [8080])] : []),
  ]) {
    it(`fails no request, of the mesh or of others, on the way to ${what}`, async () => {
      configure(change);
      const sources = [fromPod("pod", SERVICE_URL), fromVm(lab, "vm2", "plain", `http://${address}:8080/`)];
      let said = "";
      const requests = await requestsDuring(sources, async () => (said = (await up()).output));
      const failed = requests.map((each) => each.filter(({ status }) => status !== 200));
      const figures = sources.map(({ name }, n) => `${name}: ${failed[n]!.length} of ${requests[n]!.length} failed`);
      console.log(`        ${figures.join(", ")}`);
      assert.deepEqual(failed, [[], []]);
      assert.ok(requests.every(({ length }) => length > 50));
      // Connections that were open go on as they began, also those that the pod's sidecar keeps for further requests.
      if (server !== undefined) await vmExec(lab, "vm1", ["systemctl", "restart", "app"]);
      else assert.match(said, /proxies have confirmed that they speak plain text to what its sidecar does not take/);
      await untilPodSees("the host as it is", (answer) => answer.server === server);
    });
  }

  it("counts for policies as soon as it captures", async () => {
    configure({ capture: "inbound", inboundPorts: [8080] });
    await up();
    await vmExec(lab, "vm1", ["systemctl", "restart", "app"]);
    await untilPodSees("the host's identity", ({ server }) => server === ID);
    await withStrictTls(async () => {
      await untilPlainly("refused", address, 8080);
      assert.equal((await askFromPod()).server, ID);
    });
  });

  it("changes nothing the second time", async () => {
    assert.doesNotMatch((await stack.succeed(["preview"])).stdout, /to (update|create|delete|replace)/);
  });
});
