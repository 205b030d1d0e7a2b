import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { FAULTS, holdLock, RELEASE_LOCK } from "../faults";
import { mustSucceed, type Host } from "../host";
import type { Mesh } from "../mesh";
import { insertAfter, PAUSE, PAUSE_LEFT, removePause, resume, untilPaused, withPause } from "../pauses";
import { assertRestored } from "../restored";
import { withTimes } from "../times";
import { Update } from "../update";

/** An environment with which no sidecar gets ready. */
const failing = (state: string) => `${state}\nsidecar.env CA_ADDR=192.0.2.1:15012`;

export function comingBack(mesh: Mesh): void {
  describe("a host comes back", () => {
    let host: Host;
    let update: Update;
    before(() => {
      host = mesh.host("vm2");
    });

    it("within reach first, and then wholly, when its package manager is in use meanwhile", async function () {
      this.timeout(300_000);
      update = await Update.of(host);
      const earlier = await update.files();
      const bundle = withTimes(withPause(host.bundle, "stop_sidecar", "start"), { ready: 10, lock: 3 });
      const session = await host.startJoin({ state: failing(update.newer), bundle });
      await untilPaused(host, session);
      await host.sh(holdLock(host));
      resume(host);
      const { exitCode, output } = await session.done;
      session.stopConfirming();
      assert.equal(exitCode, 3, output);
      assert.match(output, /the package istio-sidecar can't be given back[\s\S]*it is tried again until it is done/);
      assert.doesNotMatch(await host.rules(), /ISTIO_/); // HOLD_FOR_ISTIO may be there: it is tried again just now
      assert.equal(
        await host.sh("cat /var/lib/istio/envoy/*.env"),
        earlier.replace(/^istio-sidecar\s.*\n/, "").replace(/127\.0\.0\.1[\s\S]*$/, ""),
        "the environment is not back",
      );
      await host.sh(RELEASE_LOCK);
      await update.untilWell("the host to go back", async () => (await update.files()) === earlier);
    });

    it("to what was confirmed, though it was killed on its way back before", async () => {
      const earlier = await update.files();
      const bundle = insertAfter(
        withTimes(host.bundle, { ready: 10, undo: 600 }),
        '    put_back "$kept" "$real"',
        PAUSE,
      );
      const state = failing(update.newer);
      const session = await host.startJoin({ state, bundle });
      await untilPaused(host, session);
      await FAULTS.kill(host, session);
      session.stopConfirming();
      const outcome = await host.join({ state, bundle: withTimes(host.bundle, { ready: 10 }) });
      assert.equal(outcome.exitCode, 3, outcome.output);
      assert.equal(await update.files(), earlier);
      mustSucceed(await host.status(), "status");
    });

    it("also when a disk is full only where the environment is", async () => {
      const earlier = await update.files();
      await host.sh("mount -t tmpfs -o size=32k,mode=755,uid=$(id -u istio-proxy) tmpfs /var/lib/istio/config");
      await host.sh(`mkdir /srv/env && cp -a /var/lib/istio/envoy/. /srv/env
        mount -t tmpfs -o size=64k,mode=755,uid=$(id -u istio-proxy) tmpfs /var/lib/istio/envoy
        cp -a /srv/env/. /var/lib/istio/envoy
        dd if=/dev/zero of=/var/lib/istio/envoy/fill bs=4k 2>/dev/null || :`);
      const state = `${host.commands.state}\nsidecar.env FILL="${"x".repeat(20_000)}"`;
      const { exitCode, output } = await host.join({ state });
      assert.equal(exitCode, 3, output);
      assert.match(output, /can't write \/var\/lib\/istio\/envoy\/sidecar\.env/);
      assert.doesNotMatch(output, /: joined /);
      await host.sh("rm /var/lib/istio/envoy/fill");
      await update.untilWell("the host to go back", async () => (await update.files()) === earlier);
      await host.sh(
        "umount /var/lib/istio/envoy /var/lib/istio/config; cp -a /srv/env/. /var/lib/istio/envoy; rm -r /srv/env",
      );
    });

    it("out of the mesh only when the package manager can be used, and not half way", async () => {
      await host.reset();
      await host.mustJoin();
      await host.sh("sed -i 's/^PACKAGE_SECONDS=.*/PACKAGE_SECONDS=2/' /var/lib/istio-vm/bin/package.sh");
      await host.sh(holdLock(host));
      const { exitCode, output } = await host.leave();
      assert.equal(exitCode, 3, output);
      assert.match(output, /the package manager is in use, .*nothing was changed: \/usr\/bin\/python3/);
      mustSucceed(await host.status(), "status");
      await host.sh(RELEASE_LOCK);
      await host.mustLeave();
    });

    for (const line of [
      '  rm -rf "$HOME_DIR/state" "$HOME_DIR/joining" "$HOME_DIR/awaiting" "$PREVIOUS"',
      '  mv "$RECORD" "$HOME_DIR/given-back"',
      "  give_back_files",
      "  give_back_package",
      "  give_back_accounts",
      "  assert_given_back",
    ]) {
      it(`out of the mesh by a second leave, when the first is killed behind ${line.trim().split(" ").slice(0, 2).join(" ")}`, async () => {
        await host.reset();
        const before = await host.snapshot();
        // What join leaves on the host is what it ran.
        await host.mustJoin({ bundle: insertAfter(host.bundle, line, PAUSE_LEFT) });
        const leaving = host.ssh(host.commands.leave, host.commands.script);
        await untilPaused(host, leaving);
        await FAULTS.kill(host, leaving);
        await removePause(host);
        await host.mustLeave();
        await assertRestored(host, before);
      });
    }

    it("to the mesh with a package that the program sends, though the first join failed behind its installation", async () => {
      await host.reset();
      const before = await host.snapshot();
      const directory = mkdtempSync(join(tmpdir(), "host-test-"));
      try {
        const file = join(directory, "sidecar");
        await execa("curl", ["-sSf", "-o", file, host.packageUrl()]);
        const [sha256 = ""] = (await execa("sha256sum", [file])).stdout.split(" ");
        const sent = { file, sha256 };
        const state = host.stateWithPackage(sha256, "sent");
        const bundle = withTimes(host.bundle, { ready: 10 });
        const failed = await host.join({ state: failing(state), bundle, package: sent });
        assert.equal(failed.exitCode, 3, failed.output);
        await assertRestored(host, before);
        await host.mustJoin({ state, package: sent });
        await host.sh(host.packages.remove);
        await host.mustJoin({ state, package: sent });
        await host.mustLeave();
        await assertRestored(host, before);
      } finally {
        rmSync(directory, { recursive: true });
      }
    });
  });
}
