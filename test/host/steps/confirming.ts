import assert from "node:assert/strict";
import { execa } from "execa";
import { until } from "../../../lab/run";
import { accompany } from "../../../ssh/accompany";
import { CONFIRM_SCRIPT, confirmCommand, stateDigest } from "../../../ssh/commands";
import type { Host } from "../host";
import type { Mesh } from "../mesh";
import { resume, untilPaused, withPause } from "../pauses";
import { withTimes } from "../times";

/** Six new connections in 30 s, as `ufw limit` has it: whoever is refused is kept out for as long again. */
const LIMIT = `
  iptables -A INPUT -p tcp --dport 22 -m conntrack --ctstate NEW -m recent --set --name host-test
  iptables -A INPUT -p tcp --dport 22 -m conntrack --ctstate NEW -m recent --update --seconds 30 --hitcount 6 --name host-test -j DROP`;

export function confirming(mesh: Mesh): void {
  describe("what confirms a change", () => {
    let host: Host;
    beforeEach(async () => {
      host = mesh.host("vm1");
      await host.reset();
    });

    it("is no session whose connection was there before", async () => {
      // As a client's that takes its time to log in: the connection is there, and the kernel lets it go on.
      const socket = `/tmp/host-test-${process.pid}.ssh`;
      await execa("ssh", ["-f", "-N", "-M", "-S", socket, "-l", "admin", host.name]);
      try {
        const session = await host.startJoin({ bundle: withTimes(host.bundle, { confirm: 9 }), confirm: false });
        const waits = () =>
          host.sh("[ ! -e /var/lib/istio-vm/awaiting ] || cat /var/lib/istio-vm/awaiting").then((text) => text !== "");
        await until("the join to wait", 60, waits);
        const digest = stateDigest(host.commands.state);
        const { exitCode, stdout } = await execa(
          "ssh",
          ["-S", socket, "-l", "admin", host.name, confirmCommand(digest, new Date())],
          { input: CONFIRM_SCRIPT, reject: false },
        );
        assert.deepEqual([exitCode, stdout], [6, ""]);
        const outcome = await session.done;
        assert.equal(outcome.exitCode, 3, outcome.output);
        assert.match(outcome.output, /One was had, but the connection from \S+ \d+ was there before the change\./);
      } finally {
        await execa("ssh", ["-S", socket, "-O", "exit", host.name], { reject: false });
      }
    });

    it("comes although the host limits new connections, and has been asked too often just before", async function () {
      this.timeout(200_000);
      const bundle = withPause(host.bundle, "await_confirmation", "start");
      const session = await host.startJoin({ bundle });
      await untilPaused(host, session);
      await host.sh(LIMIT);
      for (let n = 0; n < 5; n++) assert.equal((await host.ssh("true").done).exitCode, 0);
      resume(host);
      const { exitCode, output, seconds } = await session.done;
      console.log(`        confirmed after ${seconds.toFixed(0)} s`);
      assert.equal(exitCode, 0, output);
      assert.ok(seconds > 15, "the limit was in nobody's way");
    });

    it("can't come where a limit is too tight, and the join names the rule", async () => {
      await host.sh(`iptables -A INPUT -p tcp --dport 22 -m conntrack --ctstate NEW -m hashlimit \\
        --hashlimit-upto 100/second --hashlimit-name host-test -j ACCEPT`);
      const { output } = await host.join({ bundle: withTimes(host.bundle, { confirm: 9 }), confirm: false });
      assert.match(output, /Its firewall limits new connections, which may be in the way: .*hashlimit/);
    });

    it("is not an account that runs something else whatever it is told", async () => {
      await host.sh(`cp -p ~admin/.ssh/authorized_keys /root/keys
        sed -i 's/^/command="echo Please login as root" /' ~admin/.ssh/authorized_keys`);
      const { connection, state } = host.commands;
      await assert.rejects(
        accompany(connection, { state, files: host.bundle }),
        /: our scripts did not run there: it says "Please login as root"$/,
      );
      await host.sh("cp -p /root/keys ~admin/.ssh/authorized_keys");
    });

    it("finds what was brought for it, also when another waits for it to be cleared away", async () => {
      await host.mustJoin();
      const first = await host.startJoin({
        state: `${host.commands.state}\nsidecar.env FIRST=1`,
        bundle: withPause(host.bundle, "install_package", "end"),
      });
      await untilPaused(host, first);
      // The second waits for the lock, and has lost whoever brought it what it needs; the third comes, and clears away.
      const second = await host.startJoin({ state: `${host.commands.state}\nsidecar.env SECOND=1` });
      await until("the second to wait", 20, async () => /flock -w/.test(await host.exec("ps", "-e", "-o", "args=")));
      second.stopConfirming();
      const third = await host.startJoin({ state: `${host.commands.state}\nsidecar.env THIRD=1` });
      resume(host);
      const outcomes = await Promise.all([first.done, second.done, third.done]);
      for (const { stopConfirming } of [first, third]) stopConfirming();
      const said = outcomes.map(({ output }) => output);
      assert.equal(outcomes[0].exitCode, 0, said[0]);
      assert.doesNotMatch(said[1]!, /can't open|cannot open|not found|No such file/);
      assert.match(said[1]!, /whoever would confirm the change is gone/);
      assert.equal(outcomes[2].exitCode, 0, said[2]);
      assert.match(await host.sh("cat /var/lib/istio/envoy/sidecar.env"), /^THIRD=1$/m);
    });
  });
}
