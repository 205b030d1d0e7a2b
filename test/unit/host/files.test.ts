import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withDirectory } from "../support";

const SCRIPTS = join(__dirname, "../../../host");

const STATE = `host vm1
hosts 192.0.2.10 istiod.istio-system.svc
a.env ISTIO_LOCAL_EXCLUDE_PORTS=1,22
a.env B="c d"`;

/** Runs a script with what host/files.sh has, in a folder, by this shell. */
function run(shell: string, folder: string, script: string) {
  const before = `set -eu; for file in lib files; do . "$0/$file.sh"; done
    here=$1 HOST=vm1 SSH_PORT=2222 STATE=$2 OWNER=$(id -u):$(id -g)
    cd "$1"`;
  return spawnSync(shell, ["-c", `${before}\n${script}`, SCRIPTS, folder, STATE], { encoding: "utf8" });
}

for (const shell of ["sh", "bash"]) {
  describe(`host/files.sh, by ${shell}`, () => {
    it("reads the lines of files, with and without their last word", () =>
      withDirectory((folder) => {
        const lines = "0600 /a/b lines:a.env\n- /c block:hosts restart";
        const show = `show() { printf '<%s>' "$@"; echo; }; each_file "${lines}" show first; each_file '' show; has_file "${lines}" /c; ! has_file "${lines}" b`;
        assert.deepEqual(run(shell, folder, show).stdout.split("\n"), [
          "<first><0600></a/b><lines:a.env><>",
          "<first><-></c><block:hosts><restart>",
          "",
        ]);
      }));

    it("takes content from lines, from a block in the operator's file, and from what was sent", () =>
      withDirectory((folder) => {
        writeFileSync(join(folder, "hosts"), "127.0.0.1 localhost");
        writeFileSync(join(folder, "token"), "a secret");
        const { stdout } = run(
          shell,
          folder,
          "content x lines:a.env; content hosts block:hosts; content /srv/token sha256:aa",
        );
        assert.equal(
          stdout,
          `ISTIO_LOCAL_EXCLUDE_PORTS=1,22,2222
B="c d"
127.0.0.1 localhost
# BEGIN istio-vm (managed by pulumi-istio-vm)
192.0.2.10 istiod.istio-system.svc
# END istio-vm
a secret`,
        );
      }));

    it("ends the script when a file can't be written, and leaves it as it was", () =>
      withDirectory((folder) => {
        writeFileSync(join(folder, "hosts"), "old\n");
        const half = `half() { echo new; false; }; replace "$1/hosts" 0644 "$OWNER" half; echo goes on`;
        const { status, stdout, stderr } = run(shell, folder, half);
        assert.deepEqual([status, stdout], [3, ""]);
        assert.match(stderr, /^vm1: can't write .*\/hosts: is the disk full\? /m);
        assert.deepEqual(readdirSync(folder), ["hosts"]);
        assert.equal(readFileSync(join(folder, "hosts"), "utf8"), "old\n");
      }));

    it("keeps variables of a function from its caller", () =>
      withDirectory((folder) => {
        const script = `mine() { local new path; new=1 path=2; replace "$1" 0600 "$OWNER" echo x; say a b; echo "$new $path"; }
          mine "$1/file"`;
        assert.match(run(shell, folder, script).stdout, /^1 2$/m);
      }));
  });
}
