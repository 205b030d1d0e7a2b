import assert from "node:assert/strict";
import type { Snapshot } from "../../support/snapshot";
import { FAULTS } from "../faults";
import type { Host, Outcome } from "../host";
import type { Mesh } from "../mesh";
import { untilPaused, withPause } from "../pauses";
import { probeDuring, sshGreeting } from "../probes";
import { assertRestored } from "../restored";
import { withTimes } from "../times";

/** New SSH connections are dropped. */
const NO_SSH = "INPUT --protocol tcp --dport 22 --match conntrack --ctstate NEW --jump DROP";
/** Nothing reaches the host any more, on old connections neither. */
const NO_NETWORK = "INPUT --in-interface host0 --jump DROP";

/** Makes a rule part of the sidecar: it is there while that runs. */
const withRule = (rule: string) => `
  mkdir -p /etc/systemd/system/istio.service.d
  cat >/etc/systemd/system/istio.service.d/lock-out.conf <<END
[Service]
ExecStartPre=/usr/sbin/iptables --insert ${rule}
ExecStopPost=-/usr/sbin/iptables --delete ${rule}
END`;

export function lockingOut(mesh: Mesh): void {
  describe("a change that locks everybody out is taken back by the host itself", () => {
    let host: Host;
    let before: Snapshot;
    beforeEach(async () => {
      host = mesh.host("vm2");
      await host.reset();
    });

    /** Joins, and prints for how long no new SSH connection could be had. */
    async function lockOut(join: () => Promise<Outcome | void>): Promise<Outcome | void> {
      before = await host.snapshot();
      let outcome: Outcome | void = undefined;
      const { outage } = await probeDuring(
        () => sshGreeting(host.address),
        async () => {
          outcome = await join();
        },
      );
      console.log(`        no new SSH connection for ${outage.toFixed(1)} s`);
      assert.ok(outage > 0, "the test did not lock anybody out");
      return outcome;
    }

    it("a sidecar whose start drops new SSH connections", async () => {
      await host.sh(withRule(NO_SSH));
      const outcome = await lockOut(() => host.join());
      assert.equal(outcome?.exitCode, 3, outcome?.output);
      assert.match(outcome.output, /no fresh SSH session could be had within 63 s/);
      await assertRestored(host, before);
    });

    it("the same, with the join killed meanwhile: a timer does it", async function () {
      this.timeout(400_000);
      await host.sh(withRule(NO_SSH));
      await lockOut(async () => {
        const bundle = withTimes(host.bundle, { undo: 20 });
        const session = await host.startJoin({
          bundle: withPause(bundle, "await_confirmation", "start"),
          confirm: false,
        });
        await untilPaused(host);
        await FAULTS.kill(host, session);
        await host.untilReachable(260);
      });
      await assertRestored(host, before);
    });

    it("a sidecar with which nothing reaches the host, not even istiod", async () => {
      await host.sh(withRule(NO_NETWORK));
      await lockOut(async () => {
        const session = await host.startJoin({ bundle: withTimes(host.bundle, { ready: 10 }) });
        await session.done;
        session.stopConfirming();
        await host.untilIdle();
        await host.untilReachable(30);
      });
      await assertRestored(host, before);
    });

    it("an environment with which the sidecar never gets ready", async () => {
      before = await host.snapshot();
      const outcome = await host.join({
        state: `${host.commands.state}\nsidecar.env CA_ADDR=192.0.2.1:15012`,
        bundle: withTimes(host.bundle, { ready: 10 }),
      });
      assert.equal(outcome.exitCode, 3, outcome.output);
      assert.match(outcome.output, /the sidecar is not ready after \d+ s; its last words:\n.+/);
      console.log(`        the host was as before after ${outcome.seconds.toFixed(1)} s`);
      await assertRestored(host, before);
    });
  });
}
