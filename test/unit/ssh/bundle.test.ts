import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { JOIN_SCRIPT, REJOIN_SCRIPT, renderBundle, renderFiles } from "../../../ssh/bundle";
import { stateDigest } from "../../../ssh/commands";
import { withDirectory } from "../support";

const text = fc.string({ unit: "binary" }).map((s) => s.replaceAll("\0", ""));

describe("renderBundle", () => {
  /** Runs a bundle with its directory made in `directory` instead of /run. */
  function run(directory: string, files: Record<string, string>, args: string[] = [], after = "") {
    const bundle = renderBundle(renderFiles(files));
    assert.ok(bundle.includes("/run/istio-vm."));
    return spawnSync("sh", ["-s", "--", ...args], {
      input: bundle.replaceAll("/run/istio-vm.", `${directory}/istio-vm.`) + after,
      encoding: "utf8",
    });
  }
  const copy = `cp -r "$(dirname "$0")" "$1"`;
  /** A text file ends in a line break: one that has none gets it. */
  const asFile = (content: string) => `${content.replace(/\n$/, "")}\n`;

  it("unpacks any content, byte for byte", () =>
    withDirectory((directory) => {
      const line = fc.oneof(text, fc.constantFrom("END_OF_FILE", "END_OF_FILE_", "$HOME", "`id`", "\\", "'", "exit 9"));
      const content = fc.array(line, { maxLength: 6 }).map((lines) => lines.join("\n"));
      fc.assert(
        fc.property(fc.array(content, { minLength: 1, maxLength: 20 }), (contents) => {
          const unpacked = join(directory, "unpacked");
          rmSync(unpacked, { recursive: true, force: true });
          const files = Object.fromEntries(contents.map((each, n) => [`f${n}.pem`, each]));
          const { status, stderr } = run(directory, { "istio-vm": copy, ...files }, [unpacked]);
          assert.deepEqual([status, stderr], [0, ""]);
          for (const [name, each] of Object.entries(files)) {
            assert.equal(readFileSync(join(unpacked, name), "utf8"), asFile(each));
          }
        }),
        { numRuns: 12 },
      );
    }));

  it("gives arguments and exit status through, and leaves nothing behind", () =>
    withDirectory((directory) => {
      const script = `printf '<%s>' "$@"; stat -c ' %a' "$(dirname "$0")" "$(dirname "$0")/key.pem"; exit 7`;
      const files = { "istio-vm": script, "key.pem": "k" };
      const { status, stdout } = run(directory, files, ["join", "a\nb ", "$x"]);
      assert.deepEqual([status, stdout], [7, "<join><a\nb ><$x> 700\n 600\n"]);
      assert.deepEqual(readdirSync(directory), []);
    }));

  it("gives the script the rest of the session, if only its end", () =>
    withDirectory((directory) => {
      const { status, stdout } = run(directory, { "istio-vm": "cat; echo end" });
      assert.deepEqual([status, stdout], [0, "end\n"]);
    }));

  it("leaves a folder alone that a join has taken over, and has a lock on it meanwhile", () =>
    withDirectory((directory) => {
      const script = `flock -n "$(dirname "$0")" true || echo locked; : >"$(dirname "$0")/taken"`;
      assert.equal(run(directory, { "istio-vm": script }).stdout, "locked\n");
      assert.equal(readdirSync(directory).length, 1);
    }));

  it("refuses names that are no plain file names", () => {
    for (const name of ["", "../x", "a b", "a/b", '"', "a\n"]) {
      assert.throws(() => renderFiles({ [name]: "" }), /can't be the name of a file in a bundle/);
    }
  });
});

describe("what was brought for a join", () => {
  const STATE = String.raw`host vm1
sidecar.env ISTIO_METAJSON_LABELS="{\"a\":\"b\\n\"}"`;
  const script = `printf '<%s>' "$@"; cat; ls "$(dirname "$0")" | tr '\\n' ' '; exit 7`;
  const bring = (directory: string, name: string, files: Record<string, string>) => {
    mkdirSync(join(directory, name));
    for (const [file, content] of Object.entries({ "istio-vm": script, ...files })) {
      writeFileSync(join(directory, name, file), content);
    }
  };
  const run = (directory: string, text: string, ...args: string[]) =>
    spawnSync("sh", ["-s", "--", ...args], {
      input: text.replaceAll("/run/istio-vm.", `${directory}/istio-vm.`),
      encoding: "utf8",
    });

  it("is found by the state, run, and removed", () =>
    withDirectory((directory) => {
      bring(directory, "istio-vm.aaaaaa", { for: "another\n" });
      bring(directory, "istio-vm.bbbbbb", { for: `${stateDigest(STATE)}\n` });
      const { status, stdout } = run(directory, JOIN_SCRIPT, "join", `\n${STATE}\n`, "1 2 3 22");
      assert.deepEqual([status, stdout], [7, `<join><\n${STATE}\n><1 2 3 22>istio-vm taken `]);
      assert.deepEqual(readdirSync(directory), ["istio-vm.aaaaaa"]);
    }));

  it("is for one join alone: another says what to do", () =>
    withDirectory((directory) => {
      bring(directory, "istio-vm.bbbbbb", { taken: `${stateDigest(STATE)}\n` });
      const { status, stdout, stderr } = run(directory, JOIN_SCRIPT, "join", `\n${STATE}\n`);
      assert.deepEqual([status, stdout], [3, ""]);
      assert.equal(stderr, "vm1: the scripts for this join are not here: run pulumi up again\n");
      assert.deepEqual(readdirSync(directory), ["istio-vm.bbbbbb"]);
    }));

  it("is found again by who was there for the join, as long as that runs", () =>
    withDirectory((directory) => {
      bring(directory, "istio-vm.bbbbbb", { taken: "digest\n" });
      assert.equal(run(directory, REJOIN_SCRIPT, "attend", "digest").stdout, "<attend><digest>istio-vm taken ");
      assert.equal(run(directory, REJOIN_SCRIPT, "attend", "other").stdout, "over\n");
    }));
});
