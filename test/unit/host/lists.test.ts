import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, lstatSync, mkdirSync, readdirSync, readlinkSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withDirectory } from "../support";

const SCRIPTS = join(__dirname, "../../../host");

/** It makes the link of the file that it is given, as far as nothing is there. */
const TMPFILES = `#!/bin/sh
[ "$1" = --create ] && read -r _ link _ _ _ _ target <"$2"
[ -e "$link" ] || [ -L "$link" ] || ln -s "$target" "$link"
`;

/** Runs a script with what join has: the folder has all, and systemd-tmpfiles is that one. */
function run(shell: string, folder: string, script: string, lists = true) {
  const state = lists ? `host vm1\nfile 0644 ${folder}/crl/ca-crl.pem lists:aa` : "host vm1";
  const before = `set -eu
    here=$1/bundle STATE=$2 HOST=vm1 SSH_PORT=22 action=join PACKAGE_FORMAT=deb
    for file in lib files certificate identity lists record undo commit join; do . "$0/$file.sh"; done
    CERTS=$1/certs HOME_DIR=$1 RECORD=$1/record IDENTITY=$1/identity
    LISTS=$1/crl LISTS_LINK=$1/run/crl LISTS_AT_BOOT=$1/at-boot
    PATH=$1/tools:$PATH RESTART='' CHANGES='' SENT='' ROOTS=''
    is_kept() { false; }; rules_as_wanted() { :; }; ready() { true; }; has_identity() { true; }`;
  const { stdout, stderr, status } = spawnSync(shell, ["-c", `${before}\n${script}`, SCRIPTS, folder, state], {
    encoding: "utf8",
  });
  return { said: `${stdout}${stderr}`, status };
}

for (const shell of ["sh", "bash"]) {
  describe(`host/lists.sh, by ${shell}`, () => {
    const onHost = (work: (folder: string) => void) =>
      withDirectory((folder) => {
        for (const name of ["run", "crl", "record/saved", "bundle", "tools"])
          mkdirSync(join(folder, name), { recursive: true });
        writeFileSync(join(folder, "tools/systemd-tmpfiles"), TMPFILES, { mode: 0o755 });
        writeFileSync(join(folder, "at-boot"), `L ${folder}/run/crl - - - - ${folder}/crl\n`);
        work(folder);
      });
    const plan = (folder: string, lists?: boolean) => run(shell, folder, 'plan; echo "$RESTART"', lists).said.trim();

    it("leads to the lists, once and again; the sidecar starts anew only before there is a way", () =>
      onHost((folder) => {
        writeFileSync(join(folder, "crl/ca-crl.pem"), "lists\n");
        writeFileSync(join(folder, "bundle/ca-crl.pem"), "lists\n");
        assert.equal(run(shell, folder, "plan; echo $RESTART").said.trim(), "lists");
        for (let n = 0; n < 2; n++) assert.deepEqual(run(shell, folder, "lead_to_lists"), { said: "", status: 0 });
        assert.equal(readlinkSync(join(folder, "run/crl")), join(folder, "crl"));
        assert.equal(plan(folder), "");
        // Others are taken without that.
        writeFileSync(join(folder, "bundle/ca-crl.pem"), "other lists\n");
        assert.equal(run(shell, folder, 'plan; echo "$RESTART|$CHANGES|$SENT"').said.trim(), "| ca-crl.pem|");
      }));

    it("leads nowhere any more where the mesh has none: nothing is left", () =>
      onHost((folder) => {
        writeFileSync(join(folder, "crl/ca-crl.pem"), "lists\n");
        run(shell, folder, "lead_to_lists");
        assert.deepEqual(run(shell, folder, "lead_to_lists", false), { said: "", status: 0 });
        assert.deepEqual(readdirSync(join(folder, "run")), []);
        assert.deepEqual(readdirSync(join(folder, "crl")), []);
        assert.ok(!existsSync(join(folder, "at-boot")));
        assert.equal(plan(folder, false), "");
      }));

    it("refuses lists of somebody else's, and leaves them", () =>
      onHost((folder) => {
        for (const make of [
          () => mkdirSync(join(folder, "run/crl")),
          () => symlinkSync("/elsewhere", join(folder, "run/crl")),
        ]) {
          make();
          const { said, status } = run(shell, folder, "lead_to_lists; echo goes on");
          assert.equal(status, 3);
          assert.match(said, /^vm1: .*run\/crl is there already: does something else bring revocation lists there\?/);
          assert.deepEqual(run(shell, folder, "lead_to_lists; remove_link_to_lists", false), { said: "", status: 0 });
          assert.ok(lstatSync(join(folder, "run/crl")));
          run(shell, folder, 'rm -r "$LISTS_LINK"');
        }
      }));

    it("says so where the way can't be made", () =>
      onHost((folder) => {
        writeFileSync(join(folder, "tools/systemd-tmpfiles"), "#!/bin/sh\nfalse\n", { mode: 0o755 });
        const { said, status } = run(shell, folder, "lead_to_lists");
        assert.deepEqual(
          [status, said],
          [
            3,
            `vm1: systemd-tmpfiles can't make ${folder}/run/crl: systemd-tmpfiles --create ${folder}/at-boot says why\n`,
          ],
        );
      }));

    it("are what was sent, or not", () =>
      onHost((folder) => {
        writeFileSync(join(folder, "crl/ca-crl.pem"), "lists\n");
        const same =
          'as_sent "$LISTS/ca-crl.pem" "lists:$(printf "%s\\n" lists | sha256sum | cut -c 1-16)" && echo same';
        assert.equal(run(shell, folder, same).said, "same\n");
        assert.equal(run(shell, folder, 'as_sent "$LISTS/ca-crl.pem" lists:aa || echo other').said, "other\n");
      }));

    it("belongs to root, what root does at each boot; not to the sidecar", () =>
      onHost((folder) => {
        const { said } = run(shell, folder, 'owner_of /etc/tmpfiles.d/istio-vm.conf; owner_of "$LISTS/ca-crl.pem"');
        assert.equal(said, "root:root\nistio-proxy:istio-proxy\n");
      }));
  });
}
