import assert from "node:assert/strict";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { withDirectory } from "../support";

const SCRIPT = join(__dirname, "..", "..", "..", "host", "package.sh");
const URL = "https://me:hunter2@packages.example.org/a.deb?token=hunter2&b=c";

describe("the package's URL that is a secret", () => {
  for (const [tool, option] of [
    ["curl", "--config -"],
    ["wget", "--input-file="],
  ] as const) {
    it(`is in no list of processes: ${tool}`, () =>
      withDirectory(async (directory) => {
        writeFileSync(join(directory, "deb.sh"), "");
        writeFileSync(join(directory, "package-url"), `${URL}\n`);
        const fake = `#!/bin/sh
PATH=/usr/bin:/bin
echo "$*" >${directory}/args
for file; do case $file in --input-file=*) cat "\${file#*=}" ;; -) cat ;; esac; done >${directory}/read
`;
        writeFileSync(join(directory, tool), fake);
        chmodSync(join(directory, tool), 0o755);
        // Nothing else is found, so that there is but this one.
        const script = `here=${directory}; . ${SCRIPT}; cat() { /bin/cat "$@"; }; PATH=${directory}; fetch_secret /to/file`;
        const { stdout, stderr, exitCode } = await execa("sh", ["-c", script], { reject: false });
        assert.deepEqual([exitCode, stdout, stderr], [0, "", ""]);
        const args = readFileSync(join(directory, "args"), "utf8");
        assert.ok(args.includes(option) && args.includes("/to/file"), args);
        assert.doesNotMatch(args, /hunter2|example/);
      }));
  }

  it("reaches curl as it is", () =>
    withDirectory(async (directory) => {
      writeFileSync(join(directory, "deb.sh"), "");
      writeFileSync(join(directory, "package-url"), `${URL}\n`);
      writeFileSync(join(directory, "curl"), `#!/bin/sh\ncat >${directory}/read\n`);
      chmodSync(join(directory, "curl"), 0o755);
      await execa("sh", ["-c", `here=${directory}; . ${SCRIPT}; PATH=${directory}:$PATH; fetch_secret /to/file`]);
      assert.equal(readFileSync(join(directory, "read"), "utf8"), `url = "${URL}"\n`);
    }));
});
