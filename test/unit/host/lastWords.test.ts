import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { withCommands } from "../support";

const SCRIPTS = join(__dirname, "../../../host");

/** What a start of Istio 1.31 writes before sudo comes, twice: once for the clean-up, once for the rules. */
const BEGUN = `2026/11/28 05:01:31 INFO memory is not limited, skipping package=github.com/KimMachineGun/automemlimit/memlimit
2026-11-28T05:01:31.556422Z\twarn\tOS CA Cert could not be found for agent
2026-11-28T05:01:31.662169Z\tinfo\tIstio iptables environment:
ENVOY_PORT=
2026-11-28T05:01:31.735510Z\tinfo\tFinal iptables state (IPv4):
*nat
:PREROUTING ACCEPT [0:0]
-A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports 15001
COMMIT`;

const NO_TTY = "sudo: sorry, you must have a tty to run sudo";
const FAILED = `Starting istio.service - istio-sidecar: The Istio sidecar...
Started istio.service - istio-sidecar: The Istio sidecar.
${BEGUN}
${BEGUN}
${NO_TTY}
istio.service: Main process exited, code=exited, status=1/FAILURE
${BEGUN}
istio.service: Failed with result 'exit-code'.`;

const lastWords = (journal: string) =>
  withCommands({ journalctl: `cat <<'END'\n${journal}\nEND` }, () =>
    spawnSync("sh", ["-c", `set -eu; . "$0/lib.sh"; . "$0/join.sh"; last_words`, SCRIPTS], { encoding: "utf8" }),
  );

describe("the last words of the unit", () => {
  it("are why it failed, and nothing that each start says", async () => {
    const { stdout } = await lastWords(FAILED);
    assert.deepEqual(stdout.split("\n").slice(0, 3), [
      NO_TTY,
      "istio.service: Main process exited, code=exited, status=1/FAILURE",
      "istio.service: Failed with result 'exit-code'.",
    ]);
  });

  it("are not hidden by starts that have begun since", async () => {
    const again = `istio.service: Scheduled restart job, restart counter is at 1.\n${FAILED.split(NO_TTY)[0]}`;
    const { stdout } = await lastWords(`${FAILED}\n${again}`);
    assert.ok(stdout.includes(NO_TTY), stdout);
  });
});
