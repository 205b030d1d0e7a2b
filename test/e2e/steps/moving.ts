import assert from "node:assert/strict";
import { vmByName } from "../../../lab/paths";
import { run, until } from "../../../lab/run";
import { becomesSame } from "../../support/snapshot";
import { snapshotVm } from "../../support/vmSnapshot";
import { askFromPod, kubectl, untilPodSees } from "../mesh";
import type { Story } from "../story";
import { assertInSync } from "./serving";

/** A second address of vm1. */
const SECOND = "172.30.0.121";

/** Hosts and services that go by another name, or are to be found elsewhere. */
export function moving(story: Story): void {
  const address = (vm: string) => vmByName(story.lab, vm).address;
  const hostKey = (vm: string) => ({ ssh: { hostKey: story.hostKey(vm) } });
  const withHosts = (hosts: object[], service: object = {}) => {
    const [vmhttp] = story.config.services as object[];
    return { ...story.config, hosts, services: [{ ...vmhttp, ...service }] };
  };
  const joinedAs = async (vm: string, name: string) => {
    assert.equal((await story.inVm(vm, "sed", "-n", "s/^host //p", "/var/lib/istio-vm/state")).trim(), name);
    await story.inVm(vm, "/var/lib/istio-vm/bin/istio-vm", "status");
  };
  const answers = (vm: string) => untilPodSees(`an answer of ${vm}`, ({ page }) => page.startsWith(`This is ${vm}.`));

  describe("a host that is renamed", () => {
    for (const [before, after] of [
      ["vm1", "web1"],
      ["web1", "a1"],
      ["a1", "vm1"],
    ] as const) {
      it(`stays joined, as ${after} after ${before}, for it is the same machine`, async () => {
        await story.bring(withHosts([story.host("vm1", { name: after })], { hosts: [after] }));
        await joinedAs("vm1", after);
        await answers("vm1");
        assertInSync(await run(["istioctl", "proxy-status"]), `${after}.vm`);
      });
    }
  });

  describe("a host whose address becomes that of another machine", () => {
    let output: string;
    let sidecar: string;
    before(async () => {
      sidecar = await story.sidecarRun("vm1");
      story.stack.configure(withHosts([story.host("vm1", { address: address("vm2"), ...hostKey("vm2") })]));
      output = await story.stack.fail(["up", "--yes", "--skip-preview"]);
    });
    it("is refused, with what to do", () => {
      assert.match(output, /vm1: 172\.30\.0\.22:22 is another machine than the one that joined at 172\.30\.0\.21:22/);
      assert.match(output, /a name of its own in hosts/);
    });

    it("has changed nothing, on neither", async () => {
      assert.equal(await story.sidecarRun("vm1"), sidecar);
      assert.match((await askFromPod()).page, /^This is vm1\./);
      await becomesSame(story.before.vm2, () => snapshotVm(story.lab, "vm2"), "vm2");
    });

    it("needs nothing but the right address again", async () => {
      await story.bring(story.config);
      assert.equal(await story.sidecarRun("vm1"), sidecar);
    });
  });

  describe("a machine with two addresses", () => {
    const original = () => withHosts([story.host("vm1")], { hosts: ["vm1"] });
    before(() => story.inVm("vm1", "ip", "address", "add", `${SECOND}/24`, "dev", "host0"));
    after(() => story.inVm("vm1", "ip", "address", "del", `${SECOND}/24`, "dev", "host0"));

    it("goes on as the same host when the other one is configured", async () => {
      await story.bring(withHosts([story.host("vm1", { address: SECOND, ...hostKey("vm1") })]));
      await joinedAs("vm1", "vm1");
      await answers("vm1");
      await story.bring(original());
      await answers("vm1");
    });

    it("can't be two hosts", async () => {
      const sidecar = await story.sidecarRun("vm1");
      const twin = story.host("vm1", { name: "twin", address: SECOND, ...hostKey("vm1") });
      story.stack.configure(withHosts([story.host("vm1"), twin]));
      const output = await story.stack.fail(["up", "--yes", "--skip-preview"]);
      assert.match(output, /twin: it is the same machine as vm1/);
      assert.equal(await story.sidecarRun("vm1"), sidecar);
      await story.bring(original());
      await joinedAs("vm1", "vm1");
      assert.equal(await story.sidecarRun("vm1"), sidecar);
    });
  });

  describe("a service", () => {
    const SHOP = "http://shop.store.svc.cluster.local:8080";
    const untilShop = () =>
      until("an answer of the shop", 20, async () =>
        askFromPod(SHOP).then(
          ({ page, server }) => /^This is vm1\./.test(page) && server === "spiffe://cluster.local/ns/store/sa/vm1",
          () => false,
        ),
      );
    const services = async (namespace: string) =>
      (await kubectl("get", "service,serviceentry", `--namespace=${namespace}`, "--output=name", "--ignore-not-found"))
        .trim()
        .split("\n")
        .map((name) => name.split("/")[1]);

    it("can be renamed, and speak another protocol at once", async () => {
      const before = story.config.services as object[];
      const ports = [{ port: 8080, protocol: "TCP" }];
      await story.bring(withHosts([story.host("vm1")], { name: "plain", ports }));
      assert.deepEqual(await services("vm"), ["plain", "plain", "plain.vm.vm1"]);
      await story.bring({ ...story.config, services: before });
      assert.deepEqual(await services("vm"), ["vmhttp", "vmhttp", "vmhttp.vm.vm1"]);
      await answers("vm1");
    });

    it("can move to another namespace with its host, which gets another identity, and come back", async () => {
      const [hosts, before] = [story.config.hosts, story.config.services] as object[][];
      const moved = { name: "shop", namespace: "store" };
      await story.bring(withHosts([story.host("vm1", { namespace: "store" })], moved));
      await untilShop();
      assert.deepEqual(await services("store"), ["shop", "shop", "shop.store.vm1"]);
      await story.bring({ ...story.config, hosts, services: before });
      assert.equal(await kubectl("get", "namespace", "store", "--ignore-not-found"), "");
      await answers("vm1");
    });
  });

  describe("two hosts that swap their machines", () => {
    it("are joined anew, each under its name; destroy gives both back", async () => {
      const pair = (first: string, second: string) =>
        withHosts(
          [
            story.host(first, { name: "vm1", ...hostKey(first) }),
            story.host(second, { name: "vm2", ...hostKey(second) }),
          ],
          { hosts: ["vm1"] },
        );
      await story.bring(pair("vm1", "vm2"));
      await joinedAs("vm2", "vm2");
      await story.bring(pair("vm2", "vm1"));
      await joinedAs("vm2", "vm1");
      await joinedAs("vm1", "vm2");
      await answers("vm2");
    });
  });
}
