import assert from "node:assert/strict";
import type { Host } from "../host";
import type { Mesh } from "../mesh";
import { assertRestored } from "../restored";

/** What every script on the host takes for `date`: its clock is so many seconds ahead. */
const wrongDate = (seconds: number) => `
  cat >/usr/local/sbin/date <<'END'
#!/bin/sh
case "$*" in
  *-d*) exec /usr/bin/date "$@" ;;
  *) exec /usr/bin/date -d '${seconds} seconds' "$@" ;;
esac
END
  chmod 0755 /usr/local/sbin/date`;

export function tellingTime(mesh: Mesh): void {
  describe("the clock of a host, against that of the computer where pulumi runs", () => {
    let host: Host;
    beforeEach(async () => {
      host = mesh.host("vm2");
      await host.reset();
    });

    const SAYS = /its clock says (\S+Z), that of the computer where pulumi runs says (\S+Z): /;

    for (const [when, ahead, bundleOf] of [
      ["before anything is changed", 100, (host) => host.bundle],
      ["before anything is changed", -100, (host) => host.bundle],
      // As if it was right when the join began.
      [
        "when the change is to be confirmed, and it is undone",
        100,
        (host) => host.bundle.replace(/"\$dir\/epoch"/, "/dev/null"),
      ],
    ] as [string, number, (host: Host) => string][]) {
      it(`is ${ahead} s ahead: the join fails with both times ${when}`, async () => {
        // Certificates that begin long ago, so that only the controller can tell.
        const state = host.commands.state.replace(/^not-before .*$/m, "not-before 0 1970-01-01T00:00:00Z");
        await host.sh(wrongDate(ahead));
        const before = await host.snapshot();
        const { exitCode, output } = await host.join({ state, bundle: bundleOf(host) });
        assert.equal(exitCode, 3, output);
        const [, ours, theirs] = SAYS.exec(output) ?? [];
        const skew = (Date.parse(ours!) - Date.parse(theirs!)) / 1000;
        assert.ok(Math.abs(skew - ahead) < 10, output);
        assert.match(output, /set the one that is wrong \(timedatectl set-ntp true\)/);
        assert.equal(/nothing was changed/.test(output), when.startsWith("before"), output);
        await assertRestored(host, before);
      });
    }

    it("is 40 s ahead: it joins", async () => {
      await host.sh(wrongDate(40));
      await host.mustJoin();
      await host.mustLeave();
    });
  });
}
