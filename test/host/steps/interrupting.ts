import assert from "node:assert/strict";
import { succeeds, until } from "../../../lab/run";
import type { Mesh } from "../mesh";
import { resume, untilPaused, withPause } from "../pauses";

/** The command provider does not end a join's session when `pulumi up` is interrupted; the program's own sessions end. */
export function interrupting(mesh: Mesh): void {
  it("a join whose program is gone leaves the sidecar alone, says so, and takes its change back", async () => {
    const host = mesh.host("vm2");
    await host.reset();
    await host.mustJoin();
    const sidecar = () => host.sh("systemctl show --property=MainPID --property=NRestarts istio.service");
    const attended = `for dir in ${host.root}/run/istio-vm/bundle.*; do [ ! -e $dir/attended ] || ( exec 9<$dir; flock -n 9 ) || exit 1; done`;
    const unattended = () => succeeds(["sh", "-c", attended]);
    const before = await sidecar();

    const bundle = withPause(host.bundle, "install_package", "end");
    const session = await host.startJoin({ state: `${host.commands.state}\nsidecar.env INTERRUPTED=1`, bundle });
    await untilPaused(host, session);
    await until("the program to attend", 20, async () => !(await unattended()));
    session.stopConfirming();
    await until("the program to be gone", 20, unattended);
    resume(host);
    const { exitCode, output, seconds } = await session.done;
    console.log(`        over after ${seconds.toFixed(1)} s`);
    assert.equal(exitCode, 3, output);
    assert.match(output, /is gone: pulumi up was interrupted, .*\n.*: undo /, "the reason comes first");
    assert.doesNotMatch(output, /: start /);
    assert.equal(await sidecar(), before, "the sidecar was disturbed");
    assert.equal((await host.status()).exitCode, 0);
    await host.mustLeave();
  });
}
