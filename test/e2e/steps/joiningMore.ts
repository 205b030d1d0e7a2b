import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../../../lab/run";
import { watchArguments } from "../../support/arguments";
import { privateKeysOf } from "../../support/privateKeys";
import { assertSame } from "../../support/snapshot";
import { TestStack } from "../../support/testStack";
import { snapshotVm } from "../../support/vmSnapshot";
import { kubectl, untilPodSees } from "../mesh";
import type { Story } from "../story";
import { assertInSync } from "./serving";

export function joiningMore(story: Story): void {
  describe("a second host, and a second stack", () => {
    it("joins vm2 with a package that is copied to it, and does not restart vm1", async () => {
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

    it("serves the pod from both hosts by mutual TLS", async () => {
      for (const name of ["vm1", "vm2"]) {
        const answer = await untilPodSees(`an answer of ${name}`, ({ page }) => page.startsWith(`This is ${name}.`));
        assert.equal(answer.server, "spiffe://cluster.local/ns/vm/sa/default", answer.page);
      }
    });

    it("refuses a host that another stack has joined, names that stack's mark, and leaves the host alone", async () => {
      const path = "jsonpath={.metadata.labels.pulumi-istio-vm/owner}";
      const owner = await kubectl("get", "namespace", "vm", `--output=${path}`);
      assert.match(owner, /^[0-9a-f]{16}$/);
      const vm1 = await snapshotVm(story.lab, "vm1");
      const other = new TestStack("test/e2e/otherStack");
      try {
        await other.init(story.config);
        const output = await other.fail(["up", "--yes", "--skip-preview"]);
        assert.match(output, new RegExp(`joined already, by the stack with owner mark ${owner}`));
        assert.match(output, /vm1/);
        const { stdout } = await other.succeed(["stack", "export", "--show-secrets"]);
        for (const key of privateKeysOf(stdout)) story.otherKeys.add(key);
        await other.succeed(["destroy", "--yes", "--skip-preview"]);
      } finally {
        story.stack.transcript.push(...other.transcript);
        other.remove();
      }
      assertSame(vm1, await snapshotVm(story.lab, "vm1"), "vm1");
    });
  });
}
