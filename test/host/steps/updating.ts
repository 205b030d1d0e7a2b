import assert from "node:assert/strict";
import { until } from "../../../lab/run";
import { FAULTS, holdLock, RELEASE_LOCK, type FaultName } from "../faults";
import { mustSucceed, type Host } from "../host";
import type { HostName, Mesh } from "../mesh";
import { insertAfter, untilCome, untilPaused, withPause, type Phase, type Place } from "../pauses";
import { opens } from "../probes";
import { withTimes } from "../times";
import { Update } from "../update";

/** There as soon as a join waits for the package manager. */
const WAITING = "/run/host-test.waiting";

const INTERRUPTIONS: [phase: Phase, place: Place, fault: FaultName][] = [
  ["install_package", "end", "kill"],
  ["write_files", "end", "kill"],
  ["stop_sidecar", "middle", "kill"],
  ["start", "middle", "reboot"],
  ["await_confirmation", "start", "kill"],
];

export function updating(mesh: Mesh, name: HostName = "vm1", interruptions = INTERRUPTIONS): void {
  describe(`a change of a joined host that is not brought to its end: ${name}`, () => {
    let host: Host;
    let update: Update;
    before(async () => {
      host = mesh.host(name);
      update = await Update.of(host);
    });

    it("goes back to what was confirmed if it fails, and the host stays in the mesh", async () => {
      const confirmed = await update.files();
      const outcome = await host.join({
        state: `${update.newer}\nsidecar.env CA_ADDR=192.0.2.1:15012`,
        bundle: withTimes(host.bundle, { ready: 10 }),
      });
      assert.equal(outcome.exitCode, 3, outcome.output);
      assert.equal(await update.files(), confirmed);
      mustSucceed(await host.status(), "status");
    });

    it("waits for whoever uses the package manager", async () => {
      await host.sh(holdLock(host));
      const bundle = insertAfter(host.bundle, host.packages.waiting, `: >${WAITING}`);
      const session = await host.startJoin({ state: update.newer, bundle });
      try {
        await untilCome(host, WAITING, "to where it waits", session);
      } finally {
        await host.sh(RELEASE_LOCK);
      }
      mustSucceed(await session.done.finally(session.stopConfirming), "join");
      mustSucceed(await host.status(), "status");
      await host.mustJoin();
    });

    for (const [phase, place, fault] of interruptions) {
      it(`goes back by itself after ${fault} in the ${place} of ${phase}`, async () => {
        const [confirmed, books] = [await update.files(), await update.books()];
        const bundle = withTimes(host.bundle, { undo: 20 });
        const state = update.newer;
        const session = await host.startJoin({ state, bundle: withPause(bundle, phase, place), confirm: false });
        await untilPaused(host, session);
        assert.notEqual(await update.files(), confirmed, "the change had not begun");
        await FAULTS[fault](host, session);
        const begun = Date.now();
        await update.untilWell("the host to go back", async () => (await update.files()) === confirmed);
        console.log(`        back after ${((Date.now() - begun) / 1000).toFixed(0)} s`);
        await host.untilIdle();
        assert.equal(await update.books(), books);
      });
    }

    if (interruptions.length > 0)
      it("holds new connections back for some seconds only, if it is killed just then", async () => {
        await update.killed(withPause(host.bundle, "stop_sidecar", "middle"));
        assert.equal(await opens(host.address, 8080), false, "they were not held back");
        const begun = Date.now();
        await until("new connections to be let in", 10, () => opens(host.address, 8080));
        console.log(`        let in after ${((Date.now() - begun) / 1000).toFixed(0)} s more`);
      });

    it("can be made again, and counts when it is confirmed", async () => {
      await host.mustJoin({ state: update.newer });
      assert.match(await host.sh(host.packages.show), /\+2$/m);
      await host.mustJoin();
      assert.doesNotMatch(await update.files(), /9090|\+2/);
      await host.mustLeave();
    });
  });
}
