import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { execa } from "execa";
import fc from "fast-check";
import { attendScript, bundleScript, joinScript, REJOIN_SCRIPT, renderFiles } from "../../../ssh/bundle";
import { stateDigest } from "../../../ssh/commands";
import { withDirectory } from "../support";

const text = fc.string({ unit: "binary" }).map((s) => s.replaceAll("\0", ""));
const CONNECTION = ["10.0.0.9", "40000", "10.0.0.1", "22"];
const STATE = String.raw`host vm1
sidecar.env ISTIO_METAJSON_LABELS="{\"a\":\"b\\n\"}"`;

/** A script as it is, but for the folder in which it works. */
const within = (directory: string, script: string) => {
  assert.ok(script.includes("/run/istio-vm"));
  return script.replaceAll("/run/istio-vm", directory);
};

/** Runs a script as a root shell does. */
function run(directory: string, script: string, ...args: string[]) {
  const input = within(directory, script);
  return spawnSync("sh", ["-s", "--", ...args, ...CONNECTION], { input, encoding: "utf8" });
}

describe("bundleScript", () => {
  const bundle = (directory: string, files: Record<string, string>, state = STATE) =>
    run(directory, `${bundleScript(renderFiles(files), state)}echo never`, "inspect");
  const copy = `cp -r "$(dirname "$0")" "$TO"`;
  /** A text file ends in a line break: one that has none gets it. */
  const asFile = (content: string) => `${content.replace(/\n$/, "")}\n`;

  it("unpacks any content, byte for byte", () =>
    withDirectory((directory) => {
      const line = fc.oneof(text, fc.constantFrom("END_OF_FILE", "END_OF_FILE_", "$HOME", "`id`", "\\", "'", "exit 9"));
      const content = fc.array(line, { maxLength: 6 }).map((lines) => lines.join("\n"));
      process.env.TO = join(directory, "unpacked");
      fc.assert(
        fc.property(fc.array(content, { minLength: 1, maxLength: 20 }), (contents) => {
          rmSync(process.env.TO!, { recursive: true, force: true });
          const files = Object.fromEntries(contents.map((each, n) => [`f${n}.pem`, each]));
          const { status, stderr } = bundle(join(directory, "run"), { "istio-vm": copy, ...files });
          assert.deepEqual([status, stderr], [0, ""]);
          for (const [name, each] of Object.entries(files)) {
            assert.equal(readFileSync(join(process.env.TO!, name), "utf8"), asFile(each));
          }
        }),
        { numRuns: 12 },
      );
    }));

  it("gives action, state, connection and exit status through, and leaves nothing behind", () =>
    withDirectory((directory) => {
      const script = `printf '<%s>' "$@"; stat -c ' %a' "$(dirname "$0")" "$(dirname "$0")/key.pem"; exit 7`;
      const { status, stdout } = bundle(join(directory, "run"), { "istio-vm": script, "key.pem": "k" });
      assert.deepEqual([status, stdout], [7, `<inspect><\n${STATE}\n><${CONNECTION.join(" ")}> 700\n 600\n`]);
      assert.deepEqual(readdirSync(directory), []);
    }));

  it("leaves the folder of everything where somebody else is at work", () =>
    withDirectory((directory) => {
      const { status } = spawnSync("flock", [directory, "sh", "-s", "--", "inspect"], {
        input: within(directory, bundleScript(renderFiles({ "istio-vm": "exit 0" }), STATE)),
      });
      assert.deepEqual([status, readdirSync(directory)], [0, []]);
    }));

  it("refuses names that are no plain file names", () => {
    for (const name of ["", "../x", "a b", "a/b", '"', "a\n"]) {
      assert.throws(() => renderFiles({ [name]: "" }), /can't be the name of a file in a bundle/);
    }
  });
});

describe("attendScript", () => {
  const until = async (condition: () => boolean) => {
    while (!condition()) await delay(10);
  };
  /** A session, and the folder that it has made. */
  async function session(directory: string, script: string, ...args: string[]) {
    const shell = execa("sh", ["-s", "--", ...args], { reject: false });
    shell.stdin!.write(within(directory, script));
    let said = "";
    shell.stdout!.on("data", (chunk: Buffer) => (said += chunk.toString()));
    await until(() => said.includes("ready"));
    return {
      shell,
      folder: () =>
        join(
          directory,
          readdirSync(directory).find((name) => /^bundle/.test(name))!,
        ),
    };
  }
  const STAYS = `echo ready; echo "$*" >"$(dirname "$0")/words"; while [ -e "$0" ]; do sleep 0.05; done`;

  it("stays with a lock on what it brought, and takes that with it when the session ends", () =>
    withDirectory(async (directory) => {
      const home = join(directory, "run");
      const { shell, folder } = await session(
        home,
        attendScript(renderFiles({ "istio-vm": STAYS })),
        "attend",
        "D",
        "P",
      );
      await until(() => existsSync(join(folder(), "words")));
      assert.equal(readFileSync(join(folder(), "words"), "utf8"), "attend D P\n");
      assert.equal(spawnSync("flock", ["-n", folder(), "true"]).status, 1);
      shell.stdin!.end();
      assert.equal((await shell).exitCode, 0);
      assert.ok(!existsSync(home));
    }));

  it("leaves alone what a join has taken over, unless that was killed", () =>
    withDirectory(async (directory) => {
      const { shell, folder } = await session(directory, attendScript(renderFiles({ "istio-vm": STAYS })), "attend");
      const taken = join(folder(), "taken");
      writeFileSync(taken, "D\n");
      const joining = execa("flock", ["--no-fork", taken, "cat"], { reject: false });
      await until(() => spawnSync("flock", ["-n", taken, "true"]).status === 1);
      shell.stdin!.end();
      await shell;
      assert.ok(existsSync(join(folder(), "istio-vm")));
      assert.equal(spawnSync("flock", ["-n", folder(), "true"]).status, 0, "nobody has a lock on it");
      joining.kill();
      await joining;
    }));

  it("takes with it what a join that was killed had taken over", () =>
    withDirectory(async (root) => {
      const directory = join(root, "run");
      const { shell, folder } = await session(directory, attendScript(renderFiles({ "istio-vm": STAYS })), "attend");
      writeFileSync(join(folder(), "taken"), "D\n");
      shell.stdin!.end();
      await shell;
      assert.ok(!existsSync(directory));
    }));

  it("has nothing of what it started left when it is killed", () =>
    withDirectory(async (directory) => {
      const { shell, folder } = await session(directory, attendScript(renderFiles({ "istio-vm": STAYS })), "attend");
      shell.kill("SIGKILL");
      await until(() => spawnSync("flock", ["-n", folder(), "true"]).status === 0);
      rmSync(folder(), { recursive: true }); // then its child ends
    }));

  it("finds it again as long as the join runs", () =>
    withDirectory(async (directory) => {
      const folder = join(directory, "bundle.bbbbbb");
      mkdirSync(folder);
      writeFileSync(join(folder, "taken"), "D\n");
      writeFileSync(join(folder, "istio-vm"), STAYS);
      const { shell } = await session(directory, REJOIN_SCRIPT, "attend", "D", "none");
      assert.equal(spawnSync("flock", ["-n", folder, "true"]).status, 1);
      shell.stdin!.end();
      await shell;
      assert.equal(spawnSync("flock", ["-n", folder, "true"]).status, 0);
      assert.equal(run(directory, REJOIN_SCRIPT, "attend", "other", "none").stdout, "over\n");
    }));
});

describe("joinScript", () => {
  const script = `printf '<%s>' "$@"; cat; cd "$(dirname "$0")"; ls | tr '\\n' ' '; flock -n taken true && exit 1; exit 7`;
  const bring = (directory: string, name: string, files: Record<string, string>) => {
    mkdirSync(join(directory, name));
    for (const [file, content] of Object.entries({ "istio-vm": script, ...files })) {
      writeFileSync(join(directory, name, file), content);
      chmodSync(join(directory, name, file), 0o600);
    }
  };

  it("finds what was brought by the state, and runs it, with a lock on it", () =>
    withDirectory((directory) => {
      bring(directory, "bundle.aaaaaa", { for: "another\n" });
      bring(directory, "bundle.bbbbbb", { for: `${stateDigest(STATE)}\n` });
      const { status, stdout } = run(directory, joinScript(STATE), "join");
      assert.deepEqual([status, stdout], [7, `<join><\n${STATE}\n><${CONNECTION.join(" ")}>istio-vm taken `]);
    }));

  it("is alone with it: another says what to do", () =>
    withDirectory((directory) => {
      bring(directory, "bundle.bbbbbb", { taken: `${stateDigest(STATE)}\n` });
      const { status, stdout, stderr } = run(directory, joinScript(STATE), "join");
      assert.deepEqual([status, stdout], [3, ""]);
      assert.equal(stderr, "vm1: the scripts for this join are not here: run pulumi up again\n");
    }));
});
