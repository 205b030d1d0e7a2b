import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import fc from "fast-check";
import { accessCommand, HOST_SCRIPT, leaveCommand, remoteCommand } from "../../../ssh/commands";
import { withCommands } from "../support";

const text = fc.string({ unit: "binary" }).map((s) => s.replaceAll("\0", ""));

describe("remoteCommand", () => {
  it("hands the state over as one argument, through the login shell and sudo, whatever it holds", () =>
    withCommands({ sudo: `printf '%s\\0' "$@"` }, () => {
      fc.assert(
        fc.property(text, fc.constantFrom("join" as const, "inspect" as const), (state, action) => {
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
    assert.deepEqual([status, stdout], [0, "<-n><sh><-s><--><access><vm1>"]);
  });

  it("says whom to let become root when it does not", async () => {
    const { status, stderr } = await run("exit 5");
    assert.equal(status, 1);
    assert.match(stderr, /^vm1: IVM602 o'neil can't become root: let o'neil run sudo without a password /);
  });
});

describe("HOST_SCRIPT", () => {
  const run = (command: string, script = HOST_SCRIPT) =>
    withCommands({ sudo: 'shift; exec "$@"' }, () =>
      spawnSync("sh", ["-c", command], { input: `${script}echo never`, encoding: "utf8" }),
    );

  it("says that one is root, and where", async () => {
    const { status, stdout } = await run(accessCommand("vm1", "admin"));
    assert.equal(status, 0);
    assert.match(stdout, /^vm1: access {3}ok: root on \S.*\n$/);
  });

  it("says of a host that was not joined that there is nothing to undo", async () => {
    const elsewhere = HOST_SCRIPT.replaceAll("/var/lib/istio-vm", "/nowhere/istio-vm").replace(/^ *rm .*$/gm, "");
    const { status, stdout } = await run(leaveCommand("vm1", "me"), elsewhere);
    assert.deepEqual([status, stdout], [0, "vm1: left     it was not joined: nothing to undo\n"]);
  });
});
