import assert from "node:assert/strict";
import { hostScripts } from "../../../ssh/bundle";
import { CONFIRM_SCRIPT, confirmCommand, stateDigest } from "../../../ssh/commands";
import { FAULTS } from "../faults";
import type { Host } from "../host";
import type { Mesh } from "../mesh";
import { insertAfter, linesOf, PAUSE, untilPaused, withPause, withPauseBehind } from "../pauses";
import { withTimes } from "../times";
import { Update } from "../update";

/** The steps of commit(), a line each; behind the second the change counts. */
const STEPS = linesOf(hostScripts()["commit.sh"]!, "commit");
const COUNTS = 2;

export function finishing(mesh: Mesh): void {
  describe("a change of a joined host that is killed", () => {
    let host: Host;
    let update: Update;
    let older: string[];
    let newer: string[];
    const found = async () => [await update.files(), await update.books()];

    /** A further change, which fails. */
    async function failing(): Promise<void> {
      const state = `${update.newer}\nsidecar.env CA_ADDR=192.0.2.1:15012`;
      const { exitCode, output } = await host.join({ state, bundle: withTimes(host.bundle, { ready: 10 }) });
      assert.equal(exitCode, 3, output);
    }

    before(async () => {
      host = mesh.host("vm1");
      update = await Update.of(host);
      await host.mustJoin({ state: update.newer });
      newer = await found();
      await host.mustJoin();
      older = await found();
      assert.notDeepEqual(newer, older);
    });
    afterEach(() => host.mustJoin().then());
    after(() => host.mustLeave().then());

    for (const phase of ["install_package", "stop_sidecar", "write_files", "start"] as const) {
      it(`at the end of ${phase} is brought to its end by the next join`, async () => {
        await update.killed(withPause(host.bundle, phase, "end"));
        await host.mustJoin({ state: update.newer });
        assert.deepEqual(await found(), newer);
      });
    }

    for (let step = 0; step <= STEPS; step++) {
      const counts = step >= COUNTS;
      it(`behind step ${step} of commit ${counts ? "counts" : "is undone"}, and the next join finishes it`, async () => {
        await update.killed(withTimes(withPauseBehind(host.bundle, "commit", step), { undo: 5 }));
        const isOver = async () =>
          (await host.sh("systemctl list-units --plain --no-legend 'istio-vm-undo*'")).trim() === "";
        await update.untilWell("the host to be left in peace", isOver);
        assert.equal(await update.files(), (counts ? newer : older)[0]);
        await host.mustJoin({ state: update.newer });
        assert.deepEqual(await found(), newer);
      });
    }

    it("right after the installation does not make that package the one to go back to", async () => {
      await update.killed(insertAfter(host.bundle, '  rm -f "$SENT_PACKAGE"', PAUSE));
      await failing();
      assert.deepEqual(await found(), older);
    });

    it("leaves nothing to which a later one that fails would go back", async () => {
      await update.killed(withPauseBehind(host.bundle, "commit", STEPS - 1));
      assert.match(await host.sh("ls /var/lib/istio-vm"), /^previous$/m);
      await failing();
      assert.deepEqual(await found(), newer);
    });

    it("leaves nothing by which a later one would be confirmed too early", async () => {
      await update.killed(withPause(host.bundle, "await_confirmation", "middle"));
      const session = await host.startJoin({ bundle: withPause(host.bundle, "start", "end"), confirm: false });
      await untilPaused(host, session);
      for (const state of [update.newer, host.commands.state]) {
        const { exitCode } = await host.ssh(confirmCommand(stateDigest(state), new Date()), CONFIRM_SCRIPT).done;
        assert.equal(exitCode, 4, "a change was confirmed that does not wait for it yet");
      }
      await FAULTS.kill(host, session);
    });
  });
}
