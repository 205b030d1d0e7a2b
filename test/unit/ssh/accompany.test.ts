import assert from "node:assert/strict";
import { chmodSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { execa } from "execa";
import { confirmWhileJoining } from "../../../ssh/confirmation";
import { ATTEND_COMMAND, stateDigest } from "../../../mesh/hostState";
import { sshKey, startSshServer, type TestServer } from "../../support/sshServer";
import { withDirectory } from "../support";

const STATE = "host vm1\nowner me";

/** What the host was told: the state's digest, and the time of this test. */
function assertConfirms(command: string | undefined): void {
  const [, digest, epoch] = /^sudo -n \S+ confirm ([0-9a-f]{64}) (\d+)$/.exec(command ?? "") ?? [];
  assert.equal(digest, stateDigest(STATE), command);
  assert.ok(Math.abs(Number(epoch) - Date.now() / 1000) < 10, command);
}

describe("confirmWhileJoining", () => {
  const key = sshKey();
  let server: TestServer;

  beforeEach(async () => (server = await startSshServer({ authorizedKey: key.public })));
  afterEach(() => server.close());

  const connection = () => ({
    host: "127.0.0.1",
    port: server.port,
    user: "admin",
    privateKey: key.private,
    hostKey: server.hostKey,
  });

  /** Waits until nobody is logged in any more. */
  const untilAlone = async () => {
    while (server.connections.open > 0) await delay(10);
  };
  const confirmations = () => server.commands.filter((command) => command !== ATTEND_COMMAND);
  const attendances = () => server.commands.filter((command) => command === ATTEND_COMMAND);

  /** Puts a `sudo` first on the PATH that refuses the first `failures` confirmations, and attends until its input ends. */
  async function withSudo<T>(failures: number, use: () => Promise<T>, attend = "cat"): Promise<T> {
    return withDirectory(async (directory) => {
      const sudo = join(directory, "sudo");
      writeFileSync(
        sudo,
        `#!/bin/sh
case "$*" in *attend) ${attend} ;; *) echo >>"$0.calls"; [ "$(wc -l <"$0.calls")" -gt ${failures} ] ;; esac
`,
      );
      chmodSync(sudo, 0o755);
      const path = process.env.PATH;
      process.env.PATH = `${directory}:${path}`;
      try {
        return await use();
      } finally {
        process.env.PATH = path;
        assert.equal(existsSync(sudo), true);
      }
    });
  }

  it("logs in anew each time, until the host takes the confirmation", async () => {
    await withSudo(1, () => confirmWhileJoining(connection(), STATE, () => false, 10));
    assert.equal(confirmations().length, 2);
    confirmations().forEach(assertConfirms);
    assert.equal(server.connections.loggedIn, 3);
  });

  it("stays with one session of its own until the host has taken the confirmation", async () => {
    await withSudo(3, () => confirmWhileJoining(connection(), STATE, () => false, 10));
    assert.equal(attendances().length, 1);
    await untilAlone();
  });

  it("stays until the join has ended, and no longer", async () => {
    let polls = 0;
    await withSudo(99, () => confirmWhileJoining(connection(), STATE, () => ++polls > 3, 10));
    assert.equal(attendances().length, 1);
    await untilAlone();
  });

  it("comes back when its session was lost, or came too early", async () => {
    await withSudo(3, () => confirmWhileJoining(connection(), STATE, () => false, 100), "exit 4");
    assert.ok(attendances().length > 1);
  });

  it("does not keep a program that has come to its end", async function () {
    this.timeout(30_000);
    const program = `
      const { confirmWhileJoining } = require("./ssh/confirmation");
      void confirmWhileJoining(${JSON.stringify(connection())}, "host vm1", () => false, 10);
      setTimeout(() => undefined, 1000);`;
    await withSudo(99, async () => {
      const { exitCode } = await execa("node", ["--require", "tsx/cjs", "--eval", program], { timeout: 25_000 });
      assert.equal(exitCode, 0);
      assert.equal(attendances().length, 1);
    });
  });

  it("goes through the bastion", async () => {
    const bastion = await startSshServer({ authorizedKey: key.public });
    const proxy = { ...connection(), port: bastion.port, hostKey: bastion.hostKey };
    await withSudo(0, () => confirmWhileJoining({ ...connection(), proxy }, STATE, () => false, 10));
    assert.equal(confirmations().length, 1);
    assertConfirms(confirmations()[0]);
    assert.deepEqual([bastion.commands, bastion.connections.loggedIn], [[], 2]);
    await bastion.close();
  });

  it("does not dial for a join that has nothing to do", async () => {
    await confirmWhileJoining(connection(), STATE, () => true, 10);
    assert.equal(server.connections.opened, 0);
  });

  it("says nothing to a host with another key", async () => {
    const hostKey = sshKey().public;
    let dials = 0;
    await confirmWhileJoining({ ...connection(), hostKey }, STATE, () => ++dials > 3, 10);
    assert.ok(server.connections.opened >= 3);
    assert.deepEqual([server.connections.loggedIn, server.commands], [0, []]);
  });
});
