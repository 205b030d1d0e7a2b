import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { withCommands } from "../support";

const SCRIPTS = join(__dirname, "../../../host");

/** Runs shell text behind the scripts' own functions, with a clock that somebody sets back by an hour at each look. */
const run = (text: string) =>
  withCommands({ date: `echo "$((1700000000 - $(ls -f "$SEEN" | wc -l) * 3600))"; : >"$SEEN/$$"` }, () =>
    spawnSync(
      "sh",
      [
        "-c",
        `set -eu; SEEN=$(mktemp -d); export SEEN; trap 'rm -r "$SEEN"' EXIT; HOST=vm1; here=$0; . "$0/lib.sh"; ${text}`,
        SCRIPTS,
      ],
      { encoding: "utf8", timeout: 20_000 },
    ),
  );

describe("waiting", () => {
  it("ends though the clock is set back meanwhile", async () => {
    const { status, signal } = await run("! await 1 false");
    assert.deepEqual([status, signal], [0, null]);
  });

  it("does not end before its time though the clock is set forward", async () => {
    const begun = Date.now();
    const { status } = await withCommands({ date: "echo 9999999999" }, () =>
      spawnSync("sh", ["-c", `set -eu; . "$0/lib.sh"; ! await 2 false`, SCRIPTS], { encoding: "utf8" }),
    );
    assert.equal(status, 0);
    assert.ok(Date.now() - begun >= 1000);
  });

  it("is measured by the time of day nowhere", () => {
    for (const file of readdirSync(SCRIPTS)) {
      const lines = readFileSync(join(SCRIPTS, file), "utf8").split("\n");
      for (const [index, line] of lines.entries()) {
        // What asks for the time to tell it, to compare clocks and certificates, or to limit a rule of iptables as well.
        if (
          !line.includes("date +%s") ||
          /epoch |>"\$(CONFIRMED|here\/clocks)"|not-|behind|end%|\$end"|certificate_end|datestart/.test(line)
        )
          continue;
        assert.fail(`${file}:${index + 1} waits by the time of day: ${line.trim()}`);
      }
    }
  });
});

describe("fail", () => {
  for (const [where, text] of [
    ["a subshell", "(fail no); echo goes on"],
    ["a pipeline", "fail no | cat; echo goes on"],
    ["a substitution whose status gets lost", 'x=$(fail no) || :; echo "goes on"'],
    ["a condition", "if fail no; then :; fi; echo goes on"],
  ] as const) {
    it(`ends the script also in ${where}`, async () => {
      const { status, stdout } = await run(`trap 'exit 3' TERM; ${text}`);
      assert.deepEqual([status, stdout.replace(/^vm1: no\n/, "")], [3, ""]);
    });
  }
});
