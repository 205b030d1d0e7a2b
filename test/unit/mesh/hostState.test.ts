import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import {
  accessCommand,
  type HostState,
  remoteCommand,
  renderBundle,
  renderState,
  sha256,
} from "../../../mesh/hostState";
import { withCommands, withDirectory } from "../support";

const text = fc.string({ unit: "binary" }).map((s) => s.replaceAll("\0", ""));

it("renderState has each fact on a line of its own", () => {
  const facts: HostState = {
    name: "vm1",
    owner: "0123",
    identity: "spiffe://cluster.local/ns/vm/sa/default",
    packageSha256: "aa",
    packageSource: "https://example.org/a.deb",
    istiodAddress: "192.168.17.150",
    istiodPort: 31794,
    notBefore: new Date("2026-01-01T00:00:00Z"),
    notAfter: new Date("2027-01-01T00:00:00.999Z"),
    hostsEntry: "192.168.17.150 istiod.istio-system.svc",
    clusterEnv: ["ISTIO_NAMESPACE=vm", 'A="b c"'],
    sidecarEnv: ["ISTIO_SVC_IP=10.0.0.1"],
    files: [
      { path: "/etc/certs/key.pem", mode: "0600", source: "of-certificate:bb" },
      { path: "/etc/hosts", mode: "-", source: "block:hosts", restart: true },
    ],
    scripts: "sha256:cc",
  };
  assert.equal(
    renderState(facts),
    `host vm1
owner 0123
identity spiffe://cluster.local/ns/vm/sa/default
package aa https://example.org/a.deb
istiod 192.168.17.150 31794
not-before 1767225600 2026-01-01T00:00:00Z
not-after 1798761600 2027-01-01T00:00:00.999Z
hosts 192.168.17.150 istiod.istio-system.svc
cluster.env ISTIO_NAMESPACE=vm
cluster.env A="b c"
sidecar.env ISTIO_SVC_IP=10.0.0.1
file 0600 /etc/certs/key.pem of-certificate:bb
file - /etc/hosts block:hosts restart
scripts sha256:cc`,
  );
  const run = new Date("2026-02-03T04:05:06.789Z");
  assert.equal(renderState({ ...facts, run }), `${renderState(facts)}\nrun 2026-02-03T04:05:06.789Z`);
});

it("sha256 is that of the text's UTF-8", () => {
  assert.equal(sha256("é\n"), execFileSync("sha256sum", { input: "é\n", encoding: "utf8" }).split(" ")[0]);
});

describe("remoteCommand", () => {
  it("hands the state over as one argument, through the login shell and sudo, whatever it holds", () =>
    withCommands({ sudo: `printf '%s\\0' "$@"` }, () => {
      fc.assert(
        fc.property(text, fc.constantFrom("join", "leave"), (state, action) => {
          const output = execFileSync("sh", ["-c", remoteCommand(action, state)], {
            encoding: "utf8",
            env: { ...process.env, SSH_CONNECTION: "10.0.0.9 40000 10.0.0.1 22" },
          });
          const words = ["-n", "sh", "-s", "--", action, `\n${state}\n`, "10.0.0.9 40000 10.0.0.1 22"];
          assert.deepEqual(output.split("\0"), [...words, ""]);
        }),
        { numRuns: 20 },
      );
    }));
});

describe("accessCommand", () => {
  // Whoever runs the tests may have logged in by SSH.
  const options = () => ({ encoding: "utf8", env: { ...process.env, SSH_CONNECTION: "" } }) as const;
  const run = (sudo: string) =>
    withCommands({ sudo }, () => spawnSync("sh", ["-c", accessCommand("vm1", "o'neil")], options()));

  it("succeeds when sudo does", async () => {
    const { status, stdout } = await run(`printf '<%s>' "$@"`);
    assert.deepEqual([status, stdout], [0, "<-n><sh><-s><--><access><\nhost vm1\n><>"]);
  });

  it("says whom to let become root when it does not", async () => {
    const { status, stderr } = await run("exit 5");
    assert.equal(status, 1);
    assert.match(stderr, /^vm1: IVM602 o'neil can't become root: let o'neil run sudo without a password /);
  });
});

describe("renderBundle", () => {
  /** Runs a bundle with its directory made in `directory` instead of /run. */
  function run(directory: string, files: Record<string, string>, args: string[] = [], after = "") {
    const bundle = renderBundle(files);
    assert.ok(bundle.includes("/run/istio-vm."));
    return spawnSync("sh", ["-s", "--", ...args], {
      input: bundle.replace("/run/istio-vm.", `${directory}/istio-vm.`) + after,
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

  it("does not let the script read on, nor runs what follows", () =>
    withDirectory((directory) => {
      // More than a shell reads ahead, less than a pipe holds.
      const tail = "echo more\n".repeat(5000);
      const { status, stdout } = run(directory, { "istio-vm": "cat; echo end" }, [], tail);
      assert.deepEqual([status, stdout], [0, "end\n"]);
    }));

  it("refuses names that are no plain file names", () => {
    for (const name of ["", "../x", "a b", "a/b", '"', "a\n"]) {
      assert.throws(() => renderBundle({ [name]: "" }), /can't be the name of a file in a bundle/);
    }
  });
});
