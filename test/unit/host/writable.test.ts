import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withCommands, withDirectory } from "../support";

const HOST = join(__dirname, "../../../host");

/** Runs checks of host/check.sh, and prints their findings. */
function check(functions: string, state: string, set = ""): string[] {
  const script = `set -eu
    here=$0
    for file in lib files package check; do . "$0/$file.sh"; done
    SSH_PORT=22 STATE=$1
    finding() { printf '%s\\n' "$*"; }
    ${set}
    ${functions}`;
  const { status, stdout, stderr } = spawnSync("dash", ["-c", script, HOST, state], { encoding: "utf8" });
  assert.deepEqual([status, stderr], [0, ""]);
  return stdout.split("\n").filter((line) => line !== "");
}

describe("host/writable.sh", () => {
  /** The sidecar's folders, in one of the test's. */
  const folders = (directory: string, set = "") =>
    check("check_folders", "", `RECORD=$HOME_DIR/none CERTS=${directory}/certs ENV_DIR=${directory}/env ${set}`);

  it("takes folders that hold what an earlier mesh of one's own left", () =>
    withDirectory((directory) => {
      assert.deepEqual(folders(directory), []);
      for (const folder of ["certs", "env"]) mkdirSync(join(directory, folder));
      assert.deepEqual(folders(directory), []);
      for (const file of ["root-cert.pem", "cert-chain.pem", "key.pem"])
        writeFileSync(join(directory, "certs", file), "");
      for (const file of ["cluster.env", "sidecar.env", "envoy_bootstrap_tmpl.json"])
        writeFileSync(join(directory, "env", file), "");
      assert.deepEqual(folders(directory), []);
    }));

  it("finds what is another program's, and a link, and asks nothing of a host that is joined", () =>
    withDirectory((directory) => {
      mkdirSync(join(directory, "certs"));
      for (const file of ["key.pem", ".hidden", "my key.pem", "xkey.pem"])
        writeFileSync(join(directory, "certs", file), "");
      symlinkSync("/nowhere", join(directory, "env"));
      const found = folders(directory);
      assert.equal(found.length, 2);
      assert.match(
        found[0]!,
        /^IVM727 .*\/certs, .* holds what is not Istio's: (?=.*\.hidden)(?=.*my key\.pem)(?=.*xkey\.pem)(?!.* key\.pem key)/,
      );
      assert.match(found[1]!, /^IVM727 .*\/env is a link to \/nowhere/);
      assert.deepEqual(folders(directory, `RECORD=${directory}`), []);
    }));

  it("refuses a folder that is anybody else's", () =>
    withDirectory(async (directory) => {
      mkdirSync(join(directory, "certs"));
      writeFileSync(join(directory, "certs", "mine.pem"), "");
      const ownedBy = (owner: string) => withCommands({ stat: `echo '${owner}'` }, () => folders(directory).join());
      for (const owner of ["www-data", "nobody", "admin"])
        assert.match(await ownedBy(owner), new RegExp(`certs, which becomes the sidecar's, is ${owner}'s`));
      for (const owner of ["root", "istio-proxy"])
        assert.match(await ownedBy(owner), /holds what is not Istio's: mine\.pem/);
    }));

  it("tries to write, and changes nothing", () =>
    withDirectory((directory) => {
      const file = join(directory, "file");
      writeFileSync(file, "text");
      const before = statSync(file).mtimeMs;
      const state = `file 0644 ${file} lines:a\nfile 0600 ${directory}/new/folder/file sha256:1`;
      const set = `WRITTEN_FOLDERS=${directory} WRITTEN_FOR_USER=${directory}`;
      assert.deepEqual(check("check_writable", state, set), []);
      assert.deepEqual([readdirSync(directory), statSync(file).mtimeMs], [["file"], before]);
      const own = `${set}\npackage_folders() { echo ${directory}; }`;
      assert.deepEqual(check("written_paths | sort -u", state, own), [directory, file]);
    }));

  it("finds what the kernel refuses, with the reason", () =>
    withDirectory(async (directory) => {
      // chattr is not for every file system.
      const flags = `printf -- '--------------e------- %s\\n' "$@" | sed 1d | sed 's,^-\\(.*/log\\)$,a\\1,'`;
      mkdirSync(join(directory, "log"));
      const set = `WRITTEN_FOLDERS='${directory} ${directory}/log' WRITTEN_FOR_USER=${directory}; writable() { [ "$1" = ${directory}/log ] || [ "$1" != ${directory} ]; }`;
      const found = await withCommands({ lsattr: flags }, () => check("check_writable", "", set));
      assert.deepEqual(found, [
        `IVM725 it can't write ${directory}: the kernel refuses it, to root as well`,
        `IVM725 it can't write ${directory}/log: append-only: chattr -a ${directory}/log`,
      ]);
    }));

  it("finds that files run out before the room does", () =>
    withCommands(
      {
        df: "printf 'Filesystem\\n/dev/sda1 1 1 5000 1%% /\\n'",
        stat: "printf '%s\\n' '1 /usr 9 4096 1000 499' '1 /var 9 4096 1000 499' '2 /var/lib 25600 4096 0 0' '3 /run 256 4096 9000 9000'",
      },
      () =>
        assert.deepEqual(check("check_space", ""), [
          "IVM712 /usr has room for 499 more files, whatever their size (df -i /usr): the sidecar needs 500",
          "IVM712 /var/lib has 100 MB free: join needs 400",
          "IVM712 /run has 1 MB free: join needs 4",
        ]),
    ));
});

describe("host/check.sh", () => {
  const LISTENING = `LISTEN 0 128 0.0.0.0:22 0.0.0.0:* users:(("sshd",pid=1001,fd=3))
LISTEN 0 128 [::]:2222 [::]:* users:(("sshd",pid=1002,fd=3))
LISTEN 0 128 127.0.0.1:2200 0.0.0.0:* users:(("sshd",pid=1001,fd=3))
LISTEN 0 128 *:2022 *:* users:(("dropbear",pid=1003,fd=3))
LISTEN 0 128 *:2023 *:* users:(("systemd",pid=1,fd=3))
LISTEN 0 128 *:2024 *:* users:(("systemd",pid=1,fd=4))
LISTEN 0 128 0.0.0.0:8080 0.0.0.0:* users:(("python3",pid=1004,fd=3))`;
  const servers = (inbound: string) =>
    withCommands(
      {
        ss: `cat <<'END'\n${LISTENING}\nEND`,
        systemctl: "printf '%s\\n' '[::]:2023 my-ssh.socket my-ssh@1.service' '[::]:2024 cups.socket cups.service'",
      },
      () =>
        check(
          "check_ports",
          `cluster.env ISTIO_INBOUND_PORTS=${inbound}\ncluster.env ISTIO_LOCAL_EXCLUDE_PORTS=22,15020`,
          "RECORD=/",
        ).map(
          (line) =>
            /^IVM713 inboundPorts takes in port (\d+), on which (\S+) listens/.exec(line)?.slice(1).join(" ") ?? line,
        ),
    );

  it("finds each SSH server that inboundPorts would lead through the sidecar", async () => {
    assert.deepEqual(await servers("8080"), []);
    assert.deepEqual(await servers("8080,2222,2200,2024"), ["2222 sshd"]);
    assert.deepEqual(await servers("2022,2023"), ["2022 dropbear", "2023 systemd"]);
    assert.deepEqual(await servers("222"), []);
    assert.deepEqual(await servers("*"), ["2022 dropbear", "2023 systemd", "2222 sshd"]);
  });

  it("says of a missing sudo why it is needed, to root as well", () =>
    withDirectory(async (directory) => {
      for (const tool of [
        "sh",
        "uname",
        "getconf",
        "awk",
        "sed",
        "grep",
        "getent",
        "hostname",
        "bash",
        "flock",
        "dpkg",
        "curl",
      ])
        symlinkSync(
          spawnSync("sh", ["-c", `command -v ${tool}`], { encoding: "utf8" }).stdout.trim(),
          join(directory, tool),
        );
      await withCommands({ ip: "exit 0", iptables: "exit 0" }, () => {
        const found = check("check_system; check_sudo", "package aa http://x", `PATH=\${PATH%%:*}:${directory}`);
        assert.deepEqual(
          found.filter((line) => !line.startsWith("IVM705")),
          [
            "IVM708 it lacks sudo: apt-get install bash iproute2 iptables sudo hostname util-linux (the sidecar's own istio-start.sh runs all but the last)",
          ],
        );
      });
    }));
});
