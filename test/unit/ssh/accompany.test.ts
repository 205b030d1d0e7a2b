import assert from "node:assert/strict";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import { execa } from "execa";
import { accompany } from "../../../ssh/accompany";
import { REJOIN_SCRIPT, renderFiles } from "../../../ssh/bundle";
import { attendCommand, confirmCommand, stateDigest } from "../../../ssh/commands";
import { sshKey, startSshServer, type TestServer } from "../../support/sshServer";
import { withDirectory } from "../support";

const STATE = "host vm1\nowner me";
const BAGGAGE = { state: STATE, files: renderFiles({ "istio-vm": "exit 0", "key.pem": "THE KEY" }) };
const LIMITS = { join: 20_000, bring: 10_000, dial: 5000, confirmation: 5000, back: 20, pause: 20, silence: 5000 };

/** What a host's sudo answers to a confirmation, and how it stays. */
const CONFIRMS = 'echo "confirmed $digest"';
const STAYS = 'cat <"$input" >/dev/null';

/** What the host was told: the state's digest, and the time of this test. */
function assertConfirms(command: string | undefined): void {
  const [, epoch = ""] = /sudo -n sh -s -- confirm [0-9a-f]{64} (\d+);/.exec(command ?? "") ?? [];
  assert.equal(command, confirmCommand(stateDigest(STATE), new Date(Number(epoch) * 1000)));
  assert.ok(Math.abs(Number(epoch) - Date.now() / 1000) < 10, command);
}

describe("accompany", () => {
  const key = sshKey();
  let server: TestServer;

  beforeEach(async () => (server = await startSshServer({ authorizedKey: key.public })));
  afterEach(() => server.close());

  const login = () => ({
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
  const ATTEND = attendCommand(stateDigest(STATE));
  const confirmations = () => server.commands.filter((command) => command !== ATTEND);
  const attendances = () => server.commands.filter((command) => command === ATTEND);

  /** A join that waits to be confirmed, and is over when `$0.calls` has so many lines. */
  const joinsAfter = (calls: number) => `echo ready
    echo awaiting
    while [ "$(wc -l <"$0.calls")" -lt ${calls} ]; do sleep 0.02; done
    echo over
    cat <"$input" >"$0.stdin"`;

  /**
   * Puts a `sudo` first on the PATH that takes a confirmation as `confirm` says, and attends as `attend` says: shell text,
   * with the FIFO of the session's input as `$input`. Nobody is root.
   */
  async function withSudo<T>(
    { confirm = CONFIRMS, attend = joinsAfter(1) }: { confirm?: string; attend?: string },
    use: (file: string) => Promise<T>,
  ): Promise<T> {
    return withDirectory(async (directory) => {
      const sudo = join(directory, "sudo");
      writeFileSync(`${sudo}.calls`, "");
      writeFileSync(
        sudo,
        `#!/bin/sh
digest=$6
set -- "$*" $(cat)
input=$4
case "$1" in
*"-- attend "*)
  echo >>"$0.attended"
  ${attend}
  ;;
*)
  echo >>"$0.calls"
  ${confirm}
  ;;
esac
`,
      );
      writeFileSync(join(directory, "id"), "#!/bin/sh\necho 1000\n");
      for (const file of [sudo, join(directory, "id")]) chmodSync(file, 0o755);
      const path = process.env.PATH;
      process.env.PATH = `${directory}:${path}`;
      try {
        return await use(sudo);
      } finally {
        process.env.PATH = path;
      }
    });
  }
  const go = (options = {}) => accompany(login(), BAGGAGE, { limits: LIMITS, ...options });

  it("brings scripts and key on stdin, compressed, and says when they are there", () =>
    withSudo({}, async (sudo) => {
      await go();
      await untilAlone();
      const script = readFileSync(`${sudo}.stdin`, "utf8");
      const [, packed = ""] = /<<'END'[^\n]*\n([^]*?)END\n/.exec(script) ?? [];
      assert.equal(gunzipSync(Buffer.from(packed, "base64")).toString(), BAGGAGE.files);
      assert.doesNotMatch(server.commands.join("\n"), /THE KEY/);
    }));

  it("logs in anew each time, until the host takes the confirmation", () =>
    withSudo({ confirm: `[ "$(wc -l <"$0.calls")" -gt 1 ] && ${CONFIRMS}`, attend: joinsAfter(2) }, async () => {
      await go();
      await untilAlone();
      assert.equal(confirmations().length, 2);
      confirmations().forEach(assertConfirms);
      assert.equal(server.connections.loggedIn, 3);
    }));

  it("takes no other answer for a confirmation, whatever its exit status", () =>
    withSudo(
      { confirm: `[ "$(wc -l <"$0.calls")" -gt 1 ] && ${CONFIRMS} || echo "confirm $digest"`, attend: joinsAfter(2) },
      async () => {
        await go();
        await untilAlone();
        assert.equal(confirmations().length, 2);
      },
    ));

  it("sends the package that the host asks for, and no other", () =>
    withDirectory((directory) => {
      const file = join(directory, "istio-sidecar.deb");
      const content = randomBytes(3_000_000);
      writeFileSync(file, content);
      const attend = `echo "package /run/istio-vm/bundle.abcdef 5b"
        until [ -e "$0.received" ]; do sleep 0.02; done
        echo ready; echo over; ${STAYS}`;
      const confirm = `cat "$6" >"$0.package"; : >"$0.received"`; // behind the name of the script and its action
      const packages = [
        { format: "deb", architecture: "amd64", sha256: "5a", file: "/none" },
        { format: "rpm", architecture: "amd64", sha256: "5b", file },
      ] as const;
      return withSudo({ attend, confirm }, async (sudo) => {
        await accompany(login(), { ...BAGGAGE, packages: [...packages] }, { limits: LIMITS });
        await untilAlone();
        assert.ok(readFileSync(`${sudo}.package`).equals(content));
        assert.match(server.commands[0]!, /sh -s -- attend [0-9a-f]{64} deb\/amd64\/5a rpm\/amd64\/5b;/);
        assert.match(server.commands[1]!, /exec sh \/run\/istio-vm\/bundle\.abcdef\/istio-vm receive \$input /);
        assert.equal(server.connections.opened, 1);
      });
    }));

  it("dials once, and only to bring it, where the join has nothing to confirm", () =>
    withSudo({ attend: `echo ready; echo over; ${STAYS}` }, async () => {
      await go();
      await untilAlone();
      assert.deepEqual([server.commands, server.connections.opened], [[ATTEND], 1]);
    }));

  it("stays until it is told that the join is over, and no longer", () =>
    withSudo(
      { attend: `echo ready; until [ -e "$0.end" ]; do sleep 0.02; done; echo over; ${STAYS}` },
      async (sudo) => {
        await go();
        assert.equal(server.connections.open, 1);
        writeFileSync(`${sudo}.end`, "");
        await untilAlone();
        await delay(5 * LIMITS.pause);
        assert.equal(attendances().length, 1);
      },
    ));

  for (const [what, options] of [
    ["when it is stopped", () => ({ stop: [AbortSignal.timeout(200)] })],
    ["when its time is up", () => ({ limits: { ...LIMITS, join: 200 } })],
  ] as const) {
    it(`ends ${what}`, () =>
      withSudo({ attend: `echo ready; echo awaiting; ${STAYS}`, confirm: "false" }, async () => {
        await go(options());
        await untilAlone();
        const { opened } = server.connections;
        await delay(5 * LIMITS.pause);
        assert.equal(server.connections.opened, opened);
      }));
  }

  it("comes back when its session was lost", () =>
    withSudo(
      {
        attend: `if [ "$(wc -l <"$0.attended")" = 1 ]; then echo ready; exit 1; fi
          ${joinsAfter(1)}`,
      },
      async (sudo) => {
        await go();
        while (attendances().length < 2) await delay(10);
        await untilAlone();
        assert.equal(readFileSync(`${sudo}.stdin`, "utf8"), REJOIN_SCRIPT);
        assertConfirms(confirmations()[0]);
      },
    ));

  it("comes back when nothing was heard for too long", () =>
    withSudo(
      {
        attend: `if [ "$(wc -l <"$0.attended")" = 1 ]; then echo ready; exec sleep 60; fi
          ${joinsAfter(1)}`,
      },
      async () => {
        await go({ limits: { ...LIMITS, silence: 200 } });
        while (attendances().length < 2) await delay(10);
      },
    ));

  it("does not wait for a confirmation that hangs", () =>
    withSudo(
      { confirm: `[ "$(wc -l <"$0.calls")" -gt 1 ] || exec sleep 60; ${CONFIRMS}`, attend: joinsAfter(2) },
      async () => {
        await go({ limits: { ...LIMITS, confirmation: 100 } });
        while (confirmations().length < 2) await delay(10);
        await untilAlone();
      },
    ));

  it("keeps a program until it has brought everything, and no longer", async () => {
    const program = `
      const { accompany } = require("./ssh/accompany");
      void accompany(${JSON.stringify(login())}, ${JSON.stringify(BAGGAGE)}).then(() => console.log("brought"));
      `;
    await withSudo({ attend: `sleep 0.5; echo ready; ${STAYS}` }, async () => {
      const { stdout } = await execa("node", ["--require", "tsx/cjs", "--eval", program], { timeout: 25_000 });
      assert.equal(stdout, "brought");
      await untilAlone();
    });
  });

  it("goes through the bastion", async () => {
    const bastion = await startSshServer({ authorizedKey: key.public });
    const proxy = { ...login(), port: bastion.port, hostKey: bastion.hostKey };
    await withSudo({}, async () => {
      await accompany({ ...login(), proxy }, BAGGAGE, { limits: LIMITS });
      await untilAlone();
    });
    assert.equal(confirmations().length, 1);
    assertConfirms(confirmations()[0]);
    assert.deepEqual([bastion.commands, bastion.connections.loggedIn], [[], 2]);
    await bastion.close();
  });

  describe("says why it could not bring it, and tries no further:", () => {
    const fails = async (error: RegExp, changes = {}) => {
      await assert.rejects(accompany({ ...login(), ...changes }, BAGGAGE, { limits: LIMITS }), error);
      const { opened } = server.connections;
      await delay(5 * LIMITS.pause);
      assert.equal(server.connections.opened, opened);
    };

    it("one may not become root", () =>
      withSudo({ attend: "echo 'sudo: a password is required' >&2; exit 1" }, () =>
        fails(/sudo: a password is required$/),
      ));

    it("the host has another key, and is told nothing", async () => {
      await fails(/answers with another host key than the one that is known$/, { hostKey: sshKey().public });
      assert.deepEqual([server.connections.loggedIn, server.commands], [0, []]);
    });

    it("the host hangs", () =>
      withSudo({ attend: "exec sleep 60" }, () =>
        assert.rejects(go({ limits: { ...LIMITS, bring: 300 } }), /: nothing could be brought within 0\.3 s$/),
      ));

    it("the session ends at once", () =>
      withSudo({ attend: "exit 0" }, () => fails(/: our scripts did not run there: the session ended at once$/)));

    it("the account runs something else, whatever it is told, and all is well with that", () =>
      withSudo({ attend: "echo; echo 'Please login as the user \"debian\".'" }, () =>
        fails(/: our scripts did not run there: it says "Please login as the user "debian"\."$/),
      ));

    it("nobody listens there", () =>
      fails(/^Error: 127\.0\.0\.1:1 refuses connections: does sshd run\?$/, { port: 1 }));

    it("the key is not let in", () => fails(/does not accept the key for admin$/, { privateKey: sshKey().private }));
  });
});
