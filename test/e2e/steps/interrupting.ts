import assert from "node:assert/strict";
import { until } from "../../../lab/run";
import { explain } from "../../../diagnosis/causes";
import { becomesSame } from "../../support/snapshot";
import { snapshotVm } from "../../support/vmSnapshot";
import type { Story } from "../story";

const LOCK = `import fcntl,time; f=open("/var/lib/dpkg/lock-frontend","w"); fcntl.lockf(f,fcntl.LOCK_EX); open("/run/e2e-locked","w"); time.sleep(600)`;

/** Ctrl-C while vm2 joins. The command provider does not end the join's session: the host must find out by itself. */
export function interrupting(story: Story): void {
  describe("an update that is interrupted while a host joins", () => {
    let output: string;

    before(async () => {
      // Join waits for it, so that there is time.
      await story.inVm("vm2", "systemd-run", "--quiet", "--unit=e2e-lock", "python3", "-c", LOCK);
      await until("the lock to be held", 20, async () =>
        (await story.inVm("vm2", "ls", "/run")).includes("e2e-locked"),
      );
      await story.inVm("vm2", "rm", "/run/e2e-locked");
      story.stack.configure({ ...story.config, hosts: [...(story.config.hosts as object[]), story.host("vm2")] });
      const update = story.stack.begin(["up", "--yes", "--skip-preview"]);
      await update.untilSaid(/vm2: record +ok/);
      update.interrupt();
      await update.untilSaid(/cancel/i);
      await story.inVm("vm2", "systemctl", "stop", "e2e-lock.service");
      const { exitCode, output: said } = await update.outcome;
      assert.notEqual(exitCode, 0, said);
      output = said;
    });
    after(() => story.stack.configure(story.config));

    it("says that it was, and suspects nothing else", () => {
      assert.match(output, /vm2: whoever would confirm the change is gone: pulumi up was interrupted/);
      assert.doesNotMatch(output, /cut the host off/);
      assert.deepEqual(
        explain([{ where: "stdin", text: output }]).map(({ code }) => code),
        ["IVM957"],
      );
    });

    it("leaves the host as it was once it is taken off again", async () => {
      await story.bring(story.config);
      await becomesSame(story.before.vm2, () => snapshotVm(story.lab, "vm2"), "vm2");
    });
  });
}
