import assert from "node:assert/strict";
import { becomesSame } from "../../support/snapshot";
import { snapshotVm } from "../../support/vmSnapshot";
import { kubectl, untilPodSees } from "../mesh";
import type { Story } from "../story";

/** vm2, which has joined, is lost for good: it no longer answers SSH. */
export function losingAHost(story: Story): void {
  describe("a host that no longer answers", () => {
    const without = (name: string) =>
      (story.config.hosts as { name: string }[]).filter((host) => host.name !== name) as object[];
    const endpoints = () =>
      kubectl(
        ...["get", "workloadentries", "--namespace=vm", "--selector=serves.pulumi-istio-vm/vmhttp=true"],
        "--output=jsonpath={.items[*].spec.address}",
      );

    before(() => story.inVm("vm2", "systemctl", "stop", "ssh.service"));
    after(() => story.inVm("vm2", "systemctl", "start", "ssh.service"));

    it("can't be removed just like that: the update fails, and names it", async () => {
      const services = story.config.services as object[];
      story.stack.configure({
        ...story.config,
        hosts: without("vm2"),
        services: services.map((service) => ({ ...service, hosts: ["vm1"] })),
      });
      const output = await story.stack.fail(["up", "--yes", "--skip-preview"]);
      assert.match(output, /command:remote:Command \(vm2-access\)/);
    });

    it("is dropped when it is marked as gone: its services lose it, and nothing is asked of it", async () => {
      await story.bring({ ...story.config, hosts: [...without("vm2"), story.host("vm2", { gone: true })] });
      assert.equal(await endpoints(), "172.30.0.21");
      await untilPodSees("an answer of vm1", ({ page }) => page.startsWith("This is vm1."));
    });

    it("can then be removed", async () => {
      const services = story.config.services as object[];
      await story.bring({
        ...story.config,
        hosts: without("vm2"),
        services: services.map((service) => ({ ...service, hosts: ["vm1"] })),
      });
    });

    it("is given back by hand, should it turn up again", async () => {
      await story.inVm("vm2", "/var/lib/istio-vm/bin/istio-vm", "leave");
      await story.inVm("vm2", "systemctl", "start", "ssh.service");
      await becomesSame(story.before.vm2, () => snapshotVm(story.lab, "vm2"), "vm2");
    });
  });
}
