import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../../../lab/run";
import { watchArguments } from "../../support/arguments";
import { assertSame, type Snapshot } from "../../support/snapshot";
import { TestStack } from "../../support/testStack";
import { snapshotVm } from "../../support/vmSnapshot";
import { idOf, kubectl, untilPodSees } from "../mesh";
import type { Story } from "../story";
import { assertInSync } from "./serving";

export function joiningMore(story: Story): void {
  describe("a second host", () => {
    it("joins with a package that is copied to it, and the first is not restarted", async () => {
      const vm1 = await story.sidecarRun("vm1");
      const file = join(story.lab.state, "uses", "sidecar", "istio-sidecar.deb");
      const sha256 = createHash("sha256").update(readFileSync(file)).digest("hex");
      const { hosts, services } = story.config as { hosts: object[]; services: object[] };
      const config = {
        ...story.config,
        sidecar: { file, sha256 },
        hosts: [...hosts, story.host("vm2")],
        services: services.map((service) => ({ ...service, hosts: ["vm1", "vm2"] })),
      };
      const seen = await watchArguments(() => story.bring(config));
      for (const line of seen) story.arguments.add(line);
      assertInSync(await run(["istioctl", "proxy-status"]), "vm2.vm");
      assert.equal(await story.sidecarRun("vm1"), vm1, "vm1's sidecar was restarted");
    });

    it("serves the pod by mutual TLS, as the first does", async () => {
      for (const name of ["vm1", "vm2"]) {
        await untilPodSees(`an answer of ${name} by mutual TLS`, ({ page, server }) => {
          return page.startsWith(`This is ${name}.`) && server === idOf("vm", name);
        });
      }
    });
  });

  describe("another stack that wants the same hosts", () => {
    const other = new TestStack("test/e2e/otherStack/index.ts");
    let vm1: Snapshot;
    let output: string;
    let sshLog: string;

    before(async () => {
      vm1 = await snapshotVm(story.lab, "vm1");
      const begun = (await story.inVm("vm2", "date", "+%s.%N")).trim();
      await other.init({
        ...story.config,
        hosts: [story.host("vm1"), story.host("vm2", { ssh: { hostKey: story.hostKey("vm1") } })],
      });
      output = await other.fail(["up", "--yes", "--skip-preview", "--continue-on-error"]);
      sshLog = await story.inVm("vm2", "journalctl", "--unit=ssh", "--output=cat", `--since=@${begun}`);
      await story.noteKeys(other);
    });
    after(() => {
      story.stack.transcript.push(...other.transcript);
      other.remove();
    });

    it("is told the mark of the stack that has joined the host", async () => {
      const path = "jsonpath={.metadata.labels.pulumi-istio-vm/owner}";
      const owner = await kubectl("get", "namespace", "vm", `--output=${path}`);
      assert.match(owner, /^[0-9a-f]{16}$/);
      assert.match(output, new RegExp(`vm1: .*\\n.*joined already, by the stack with owner mark ${owner}`));
    });

    it("sends nothing to a host that shows another host key than it expects, not even a user's name", () => {
      assert.match(output, /vm2-\w+\):\n.*(host (key|denied)|handshake)/i);
      assert.match(sshLog, /172\.30\.0\.1/, "sshd logged no connection");
      assert.doesNotMatch(sshLog, /Accepted|Failed|authenticating user|Invalid user/, sshLog);
    });

    it("can be destroyed, and the host is still as the first stack made it", async () => {
      await other.succeed(["destroy", "--yes", "--skip-preview"]);
      assertSame(vm1, await snapshotVm(story.lab, "vm1"), "vm1");
    });
  });
}
