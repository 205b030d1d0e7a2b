import assert from "node:assert/strict";
import { FAULTS, type FaultName } from "../faults";
import type { Host } from "../host";
import { mustSucceed } from "../host";
import type { Mesh } from "../mesh";
import { untilPaused, withPause, type Phase, type Place } from "../pauses";
import { withTimes } from "../times";
import { bridge } from "../../../lab/paths";
import { until } from "../../../lab/run";

const INTERRUPTIONS: [phase: Phase, place: Place, fault: FaultName][] = [
  ["install_package", "end", "kill"],
  ["write_files", "end", "kill"],
  ["start", "middle", "reboot"],
  ["await_confirmation", "start", "kill"],
];

export function updating(mesh: Mesh): void {
  describe("a change of a joined host that is not brought to its end", () => {
    let host: Host;
    let newer: string;
    const versionAndFiles = () =>
      host.sh("dpkg-query -W istio-sidecar; cat /var/lib/istio/envoy/*.env /etc/hosts /var/lib/istio-vm/state");

    before(async () => {
      host = mesh.host("vm1");
      await host.reset();
      await host.mustJoin();
      const url = `http://${bridge.address}:8000/istio-sidecar-2.deb`;
      const digest = (await host.sh(`curl -sSf ${url} | sha256sum | cut -d ' ' -f 1`)).trim();
      newer = host.commands.state
        .replace(/^package .*$/m, `package ${digest} ${url}`)
        .replace("ISTIO_INBOUND_PORTS=8080", "ISTIO_INBOUND_PORTS=8080,9090");
    });

    it("goes back to what was confirmed if it fails, and the host stays in the mesh", async () => {
      const confirmed = await versionAndFiles();
      const outcome = await host.join({
        state: `${newer}\nsidecar.env CA_ADDR=192.0.2.1:15012`,
        bundle: withTimes(host.commands.joinBundle, { ready: 10 }),
      });
      assert.equal(outcome.exitCode, 3, outcome.output);
      assert.equal(await versionAndFiles(), confirmed);
      mustSucceed(await host.status(), "status");
    });

    for (const [phase, place, fault] of INTERRUPTIONS) {
      it(`goes back by itself after ${fault} in the ${place} of ${phase}`, async () => {
        const confirmed = await versionAndFiles();
        const bundle = withTimes(host.commands.joinBundle, { undo: 20 });
        const session = host.startJoin({ state: newer, bundle: withPause(bundle, phase, place), confirm: false });
        await untilPaused(host);
        assert.notEqual(await versionAndFiles(), confirmed, "the change had not begun");
        await FAULTS[fault](host, session);
        const begun = Date.now();
        let last = "";
        await until(
          "the host to go back",
          260,
          async () => {
            const { exitCode, output } = await host.status();
            last = output;
            return exitCode === 0 && (await versionAndFiles()) === confirmed;
          },
          () => last,
        );
        console.log(`        back after ${((Date.now() - begun) / 1000).toFixed(0)} s`);
      });
    }

    it("can be made again, and counts when it is confirmed", async () => {
      await host.mustJoin({ state: newer });
      assert.match(await host.sh("dpkg-query -W istio-sidecar"), /\+2$/m);
      await host.mustJoin();
      assert.doesNotMatch(await versionAndFiles(), /9090|\+2/);
      await host.mustLeave();
    });
  });
}
