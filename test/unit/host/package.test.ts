import assert from "node:assert/strict";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { withCommands, withDirectory } from "../support";

const SCRIPT = join(__dirname, "..", "..", "..", "host", "package.sh");
const URL = "https://me:hunter2@packages.example.org/a.deb?token=hunter2&b=c";

describe("the package's URL that is a secret", () => {
  for (const [tool, option] of [
    ["curl", "--config -"],
    ["wget", "--input-file=-"],
  ] as const) {
    it(`is in no list of processes: ${tool}`, () =>
      withDirectory(async (directory) => {
        for (const format of ["deb", "rpm"]) writeFileSync(join(directory, `${format}.sh`), "");
        writeFileSync(join(directory, "package-url"), `${URL}\n`);
        const fake = `#!/bin/sh
PATH=/usr/bin:/bin
echo "$*" >${directory}/args
cat >${directory}/read
`;
        writeFileSync(join(directory, tool), fake);
        chmodSync(join(directory, tool), 0o755);
        // Nothing else is found, so that there is but this one.
        const script = `here=${directory}; . ${SCRIPT}; cat() { /bin/cat "$@"; }; PATH=${directory}; fetch /to/file <${directory}/package-url`;
        const { stdout, stderr, exitCode } = await execa("sh", ["-c", script], { reject: false });
        assert.deepEqual([exitCode, stdout, stderr], [0, "", ""]);
        const args = readFileSync(join(directory, "args"), "utf8");
        assert.ok(args.includes(option) && args.includes("/to/file"), args);
        assert.doesNotMatch(args, /hunter2|example/);
      }));
  }

  it("reaches curl as it is", () =>
    withDirectory(async (directory) => {
      for (const format of ["deb", "rpm"]) writeFileSync(join(directory, `${format}.sh`), "");
      writeFileSync(join(directory, "package-url"), `${URL}\n`);
      writeFileSync(join(directory, "curl"), `#!/bin/sh\ncat >${directory}/read\n`);
      chmodSync(join(directory, "curl"), 0o755);
      await execa("sh", [
        "-c",
        `here=${directory}; . ${SCRIPT}; PATH=${directory}:$PATH; fetch /to/file <${directory}/package-url`,
      ]);
      assert.equal(readFileSync(join(directory, "read"), "utf8"), `url = "${URL}"\n`);
    }));
});

/** Runs package.sh with these commands in place of the host's own, and a configuration's packages. */
function onHost(commands: Record<string, string>, state: string, script: string): Promise<string> {
  return withCommands(commands, async () => {
    const set = `here=${dirname(SCRIPT)}; . $here/lib.sh; STATE=$0; . ${SCRIPT}; finding() { echo "$*"; }; ${script}`;
    return (await execa("dash", ["-c", set, state])).stdout;
  });
}

describe("the package that a host takes", () => {
  const state = "package deb amd64 aa sent\npackage deb arm64 bb https://example.org/a.deb\npackage rpm amd64 cc sent";
  const arm = { dpkg: "echo arm64", "dpkg-query": "exit 1" };
  /** A machine that lives by rpm, whatever this one does: what dpkg knows is not there. */
  const rpm = (architecture: string) => ({
    rpm: `case $1 in --eval) echo ${architecture} ;; *) exit 1 ;; esac`,
    grep: `case "$*" in *'Package: dpkg'*) exit 1 ;; *) exec /bin/grep "$@" ;; esac`,
  });

  it("is the one of its package manager's format and architecture", async () => {
    assert.equal(await onHost(arm, state, "fitting_package; check_package"), "bb https://example.org/a.deb");
    assert.equal(await onHost(rpm("x86_64"), state, "fitting_package; check_package"), "cc sent");
  });

  it("is found to be missing before anything is changed, and which it is", async () => {
    assert.equal(
      await onHost(rpm("aarch64"), state, "fitting_package; check_package"),
      "IVM730 sidecar has no rpm for arm64: add sidecar.rpm.arm64",
    );
    assert.equal(
      await onHost(arm, "package rpm arm64 cc sent", "check_package"),
      "IVM730 sidecar has no deb for arm64: add sidecar.deb.arm64",
    );
  });

  it("that was there before is refused if rpm can't keep it", async () => {
    const old = { ...rpm("x86_64"), rpm: "case $1 in --eval) echo x86_64 ;; *) echo 1.30.0-1 ;; esac" };
    const look = (rpmdb: string) => onHost({ ...old, rpmdb }, state, "check_package");
    assert.match(await look("echo '--exportdb: unknown option' >&2; exit 1"), /^IVM731 .*1\.30\.0-1, can't be kept/);
    assert.equal(await look("printf '\\216\\255\\350\\001\\000'"), "");
  });

  it("waits for whoever is at work, and says so when that takes too long", async () => {
    const busy =
      "patient() { echo asked; }; PACKAGE_SECONDS=0; package_free() { false; }; package_busy() { echo dnf; }";
    const put = 'fail() { echo "$*"; exit; }; package_put /a.rpm';
    assert.match(
      await onHost(rpm("x86_64"), state, `${busy}; ${put}`),
      /can't be installed: another one is at work: dnf$/,
    );
    const twice = "package_free() { :; }; patient 'transaction lock' tries";
    const tries = `tries() { [ -e "$tried" ] || { : >"$tried"; echo "can't create transaction lock"; return 1; }; echo done; }`;
    await withDirectory(async (directory) =>
      assert.equal(await onHost(rpm("x86_64"), state, `tried=${directory}/tried; ${tries}; ${twice}`), "done"),
    );
    const other = "PACKAGE_SECONDS=600; patient 'transaction lock' sh -c 'echo no such file; exit 1' || echo failed";
    assert.equal(await onHost(rpm("x86_64"), state, other), "no such file\nfailed");
  });
});
