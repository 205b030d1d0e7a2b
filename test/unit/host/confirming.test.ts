import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
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
  const joining = scripts.takeOver(STATE);
  await until(join(scripts.home, "joining"));
  return {
    joining,
    attending,
    leave: async () => {
      attending.kill();
      await attending;
    },
    goOn: () => writeFileSync(join(scripts.home, "go"), ""),
  };
}

describe("host/commit.sh: a join that waits to be confirmed", () => {
  it("ends well when a fresh session confirms it", () =>
    withScripts("", PATIENT, async (scripts) => {
      const joining = scripts.start("join", STATE);
      await until(join(scripts.home, "awaiting"));
      const { exitCode: confirmed, stdout: answer } = await scripts.confirm(DIGEST);
      assert.deepEqual([confirmed, answer], [0, `confirmed ${DIGEST}`]);
      const { stdout, exitCode } = await joining;
      assert.equal(exitCode, 0, stdout);
      assert.match(stdout, /confirm +ok: a fresh SSH session works/);
    }));

  const PEERS = `peers() { printf '%s\\n' '192.0.2.1 40000' '192.0.2.9 40001'; }`;

  it("does not count a session whose connection was there before the change, and says so", () =>
    withScripts(PEERS, HASTY, async (scripts) => {
      const joining = scripts.start("join", STATE);
      await until(join(scripts.home, "awaiting"));
      const { exitCode, stdout: answer } = await scripts.confirm(DIGEST);
      assert.deepEqual([exitCode, answer], [6, ""]);
      const { stdout, exitCode: joined } = await joining;
      assert.equal(joined, 3);
      assert.match(
        stdout,
        /cut the host off.* One was had, but the connection from 192\.0\.2\.1 40000 was there before /,
      );
    }));

  it("counts one from another port", () =>
    withScripts(PEERS, PATIENT, async (scripts) => {
      const joining = scripts.start("join", STATE);
      await until(join(scripts.home, "awaiting"));
      await scripts.confirm(DIGEST, 40001);
      assert.equal((await joining).exitCode, 0);
    }));

  it("says so when the SSH server does not tell where a session comes from", () =>
    withScripts("", HASTY, async (scripts) => {
      const joining = scripts.start("join", STATE);
      await until(join(scripts.home, "awaiting"));
      assert.equal((await scripts.start("confirm", DIGEST, "1")).exitCode, 5);
      assert.match((await joining).stdout, /the SSH server does not say where its sessions come from/);
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
      await scripts.confirm(DIGEST);
      assert.equal((await joining).exitCode, 0);
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
      const { joining, attending } = await begin(scripts);
      let said = "";
      attending.stdout!.on("data", (chunk: Buffer) => (said += chunk.toString()));
      const hears = async (words: string) => {
        while (said !== words) await delay(20);
      };
      await hears("ready\nawaiting\n");
      await scripts.confirm(DIGEST);
      await joining; // which removes what was brought for it
      await hears("ready\nawaiting\nover\n");
      await attending;
    }));

  it("removes what was brought for a join that was killed, which is over then", () =>
    withScripts(PAUSED, PATIENT, async (scripts) => {
      const { joining, attending } = await begin(scripts);
      joining.kill("SIGKILL");
      assert.match((await attending).stdout, /^ready\n(here\n)*over$/);
      assert.ok(!existsSync(scripts.folder));
    }));

  it("takes what a join that was cut off has left for no join that waits", () =>
    withScripts("", PATIENT, async (scripts) => {
      writeFileSync(join(scripts.home, "awaiting"), `${DIGEST}\n`);
      const attending = scripts.attend(DIGEST);
      let said = "";
      attending.stdout!.on("data", (chunk: Buffer) => (said += chunk.toString()));
      while (!said.includes("here")) await delay(20);
      attending.kill();
      await attending;
      assert.equal(said, "ready\nhere\n");
    }));
});
