import assert from "node:assert/strict";
import { existsSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { stateDigest } from "../../../ssh/commands";
import { type Scripts, withScripts } from "./scripts";

const STATE = "host vm1";
const DIGEST = stateDigest(STATE);
/** The scripts' own time is long enough for a test to fail; that of an absence is as short as can be. */
const PATIENT = { CONFIRM_SECONDS: 60, ABSENT_SECONDS: 1 };
const HASTY = { CONFIRM_SECONDS: 2, ABSENT_SECONDS: 1 };
/** Join waits before it looks what is to be changed, until the test lets it go on. */
const PAUSED = `install_package() { until [ -e "$HOME_DIR/go" ]; do sleep 0.05; done; }`;

async function until(path: string): Promise<void> {
  while (!existsSync(path)) await delay(20);
}

/** Begins a session that attends a join, and the join. */
async function begin(scripts: Scripts) {
  const attending = scripts.attend(DIGEST);
  await until(join(scripts.folder, "for"));
  renameSync(join(scripts.folder, "for"), join(scripts.folder, "taken")); // as the join's own session does
  const joining = scripts.start("join", STATE);
  await until(join(scripts.home, "joining"));
  return {
    joining,
    attending,
    leave: async () => {
      attending.stdin!.end();
      await attending;
    },
    goOn: () => writeFileSync(join(scripts.home, "go"), ""),
  };
}

describe("host/commit.sh: a join that waits to be confirmed", function () {
  this.timeout(30_000);
  it("ends well when a fresh session confirms it", () =>
    withScripts("", PATIENT, async (scripts) => {
      const joining = scripts.start("join", STATE);
      await until(join(scripts.home, "awaiting"));
      const now = Math.floor(Date.now() / 1000);
      assert.equal((await scripts.start("confirm", stateDigest(STATE), `${now}`)).exitCode, 0);
      const { stdout, exitCode } = await joining;
      assert.equal(exitCode, 0, stdout);
      assert.match(stdout, /confirm +ok: a fresh SSH session works/);
    }));

  it("does not wait for somebody who is gone, and says so", () =>
    withScripts("", PATIENT, async (scripts) => {
      const { joining, leave } = await begin(scripts);
      await until(join(scripts.home, "awaiting"));
      await leave();
      const { stdout, exitCode } = await joining;
      assert.equal(exitCode, 3);
      assert.match(stdout, /: whoever would confirm the change is gone: pulumi up was interrupted, .*; run it again$/m);
      assert.doesNotMatch(stdout, /cut the host off/);
    }));

  it("does not disturb the sidecar for somebody who is gone", () =>
    withScripts(PAUSED, PATIENT, async (scripts) => {
      const { joining, leave, goOn } = await begin(scripts);
      await leave();
      goOn();
      const { stdout } = await joining;
      assert.match(stdout, /is gone: pulumi up was interrupted/);
      assert.doesNotMatch(stdout, /: start /);
    }));

  it("goes on when somebody whose session was lost comes back", () =>
    withScripts(PAUSED, { ...PATIENT, ABSENT_SECONDS: 5 }, async (scripts) => {
      const { joining, leave, goOn } = await begin(scripts);
      await leave();
      goOn();
      const again = scripts.attend(DIGEST);
      await until(join(scripts.home, "awaiting"));
      await scripts.start("confirm", stateDigest(STATE), `${Math.floor(Date.now() / 1000)}`);
      assert.equal((await joining).exitCode, 0);
      again.stdin!.end();
      await again;
    }));

  it("suspects the sidecar when somebody is there whose fresh sessions do not come through", () =>
    withScripts("", HASTY, async (scripts) => {
      const { joining, leave } = await begin(scripts);
      const { stdout } = await joining;
      await leave();
      assert.match(stdout, /within 2 s after the change: would the sidecar's configuration cut the host off\?$/m);
    }));

  it("names both where nobody was ever there", () =>
    withScripts("", HASTY, async (scripts) => {
      const { stdout } = await scripts.start("join", STATE);
      assert.match(stdout, /cut the host off, or was pulumi up interrupted\?$/m);
    }));
});

describe("host/istio-vm", () => {
  it("says why before what it undoes: on one stream, which nobody can put in another order", () =>
    withScripts("record() { fail 'the reason'; }", {}, async (scripts) => {
      const { stdout, stderr } = await scripts.start("join", STATE);
      assert.deepEqual(
        stdout.split("\n").map((line) => line.replace(/ +/g, " ")),
        ["vm1: the reason", "vm1: undo the join failed: the host goes back to what it was", "vm1: leave done"],
      );
      assert.equal(stderr, "");
    }));
});

describe("host/attend.sh", () => {
  it("says when what was brought is there, when the join waits to be confirmed, and when that is over", () =>
    withScripts("", PATIENT, async (scripts) => {
      const { joining, attending, leave } = await begin(scripts);
      let said = "";
      attending.stdout!.on("data", (chunk: Buffer) => (said += chunk.toString()));
      const hears = async (words: string) => {
        while (said !== words) await delay(20);
      };
      await hears("ready\nawaiting\n");
      await scripts.start("confirm", DIGEST, `${Math.floor(Date.now() / 1000)}`);
      await joining;
      renameSync(scripts.folder, `${scripts.folder}-gone`); // as the join's own session removes it
      await hears("ready\nawaiting\nover\n");
      renameSync(`${scripts.folder}-gone`, scripts.folder);
      await leave();
    }));

  it("takes back what no join has taken over", () =>
    withScripts("", {}, async (scripts) => {
      const attending = scripts.attend(DIGEST);
      await until(join(scripts.folder, "for"));
      attending.stdin!.end();
      assert.equal((await attending).stdout, "ready");
      assert.ok(!existsSync(join(scripts.folder, "for")));
    }));
});
