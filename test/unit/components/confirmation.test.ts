import assert from "node:assert/strict";
import { chmodSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { confirmWhileJoining } from "../../../components/confirmation";
import { stateDigest } from "../../../mesh/hostState";
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

  /** Puts a `sudo` first on the PATH that fails the first `failures` times. */
  async function withSudo<T>(failures: number, use: () => Promise<T>): Promise<T> {
    return withDirectory(async (directory) => {
      const sudo = join(directory, "sudo");
      writeFileSync(sudo, `#!/bin/sh\necho >>"$0.calls"; [ "$(wc -l <"$0.calls")" -gt ${failures} ]\n`);
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
    assert.equal(server.commands.length, 2);
    server.commands.forEach(assertConfirms);
    assert.equal(server.connections.loggedIn, 2);
  });

  it("goes through the bastion", async () => {
    const bastion = await startSshServer({ authorizedKey: key.public });
    const proxy = { ...connection(), port: bastion.port, hostKey: bastion.hostKey };
    await withSudo(0, () => confirmWhileJoining({ ...connection(), proxy }, STATE, () => false, 10));
    assert.equal(server.commands.length, 1);
    assertConfirms(server.commands[0]);
    assert.deepEqual([bastion.commands, bastion.connections.loggedIn], [[], 1]);
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
    assert.equal(server.connections.opened, 3);
    assert.deepEqual([server.connections.loggedIn, server.commands], [0, []]);
  });
});
