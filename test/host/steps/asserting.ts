import assert from "node:assert/strict";
import type { Host } from "../host";
import type { Mesh } from "../mesh";
import { insertAfter } from "../pauses";

export function asserting(mesh: Mesh): void {
  describe('"joined" and "left" are said of what is so', () => {
    let host: Host;
    beforeEach(async () => {
      host = mesh.host("vm1");
      await host.reset();
    });

    for (const [what, remove] of [
      ["the record", "rm -r /var/lib/istio-vm/record"],
      ["all that join keeps", "rm -r /var/lib/istio-vm"],
    ] as const) {
      it(`a host without ${what} is not said to have left, nor joined anew over what nobody knows`, async () => {
        await host.mustJoin();
        await host.sh(remove);
        const left = await host.leave();
        assert.equal(left.exitCode, 3, left.output);
        assert.doesNotMatch(left.output, /: left /);
        const { exitCode, output } = await host.join();
        assert.equal(exitCode, 3, output);
        assert.match(output, /IVM729 it was joined by this program/);
        assert.equal(await host.sh("systemctl is-active istio"), "active\n");
      });
    }

    it("a leave that is for another name of the same machine leaves alone what is joined", async () => {
      await host.mustJoin({ state: host.commands.state.replace(/^host .*$/m, "host web1") });
      const { output } = await host.mustLeave();
      assert.match(output, /vm1: left {5}it is joined as web1 now: nothing of vm1 is here/);
      assert.equal(await host.sh("systemctl is-active istio"), "active\n");
    });

    for (const [what, harm, says] of [
      ["a sidecar that died", "systemctl stop istio", /istio\.service does not run any more/],
      [
        "rules that somebody took",
        "for tool in iptables-nft iptables-legacy; do $tool -t nat -F; $tool -t nat -X; done",
        /iptables: no rules: traffic bypasses the sidecar/,
      ],
      [
        "a hosts file that was written over",
        "echo 127.0.0.1 localhost >/etc/hosts",
        /\/etc\/hosts is not what was written/,
      ],
      ["a key that is gone", "rm /etc/certs/key.pem", /\/etc\/certs\/key\.pem is not there any more/],
    ] as const) {
      it(`${what} just before the end is found, and the change undone`, async () => {
        const confirmed = `  [ -z "$RESTART" ] || await_confirmation`;
        const { exitCode, output } = await host.join({ bundle: insertAfter(host.bundle, confirmed, `  ${harm}`) });
        assert.equal(exitCode, 3, output);
        assert.match(output, says);
        assert.doesNotMatch(output, /: joined /);
      });
    }

    it("a start that fails shows the last words of the unit as well", async () => {
      await host.sh("printf 'Defaults:root requiretty\\n' >/etc/sudoers.d/zz-tty");
      // As on a host whose check is older than its sudoers.
      const bundle = insertAfter(host.bundle, "check() {", "  return 0").replace(
        /^READY_SECONDS=.*$/m,
        "READY_SECONDS=10",
      );
      const { exitCode, output } = await host.join({ bundle });
      assert.equal(exitCode, 3, output);
      assert.match(output, /its last words:\n[\s\S]*sudo: sorry, you must have a tty to run sudo/);
    });

    it("a unit whose rules are the operator's own is joined without them, and not restarted for them", async () => {
      const state = `${host.commands.state}\nsidecar.env ISTIO_CUSTOM_IP_TABLES=true`;
      await host.mustJoin({ state });
      const run = () => host.exec("systemctl", "show", "--property=InvocationID", "istio.service");
      const before = await run();
      await host.mustJoin({ state });
      assert.equal(await run(), before);
      assert.equal((await host.status()).exitCode, 0);
    });
  });
}
