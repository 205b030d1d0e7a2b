import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { withCommands } from "../support";

const HOST = join(__dirname, "../../../host");
const WANTED = "192.0.2.10";

/** What host/hosts.sh finds on a machine whose files are these, by path. */
async function findings(
  files: Record<string, string>,
  { wanted = WANTED, cloudInit = true, adopt = "" } = {},
): Promise<string[]> {
  const root = mkdtempSync(join(tmpdir(), "hosts-test-"));
  try {
    for (const [path, text] of Object.entries({ "/etc/hosts": "127.0.0.1 localhost\n", ...files })) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    const paths = /(?<![\w.?"-])(\/(?:etc|var\/lib|run|usr|proc)\/)/g;
    const moved = (file: string) => readFileSync(join(HOST, file), "utf8").replaceAll(paths, `${root}$1`);
    const script = `set -eu
      here=${HOST} SSH_PORT=22
      . "$here/lib.sh"; . "$here/files.sh"; . "$here/adopt.sh"
      ${moved("hosts.sh")}
      STATE="$(printf 'istiod 15012 %s %s\nhosts %s %s' ${NAME} "$1" "$1" ${NAME})
$2"
      finding() { printf '%s\\n' "$*"; }
      check_hosts_file`;
    mkdirSync(join(root, "proc/self"), { recursive: true });
    writeFileSync(join(root, "proc/self/mountinfo"), files["/proc/self/mountinfo"] ?? "");
    return await withCommands(cloudInit ? { "cloud-init": "exit 0" } : {}, () => {
      const { status, stdout, stderr } = spawnSync("dash", ["-c", script, "hosts", wanted, adopt], {
        encoding: "utf8",
      });
      assert.deepEqual([status, stderr], [0, ""]);
      return stdout
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => line.replaceAll(root, ""));
    });
  } finally {
    rmSync(root, { recursive: true });
  }
}

const NAME = "istiod.istio-system.svc";

describe("host/hosts.sh", () => {
  const OTHERS: Record<string, string> = {
    "as it is": `192.0.2.1 ${NAME}`,
    "with CRLF": `192.0.2.1 ${NAME}\r`,
    "with other blanks": `\f192.0.2.1\v${NAME}\f`,
    "in upper case": `192.0.2.1\t${NAME.toUpperCase()}`,
    "with a dot at its end": `192.0.2.1 ${NAME}.`,
    "as the last alias": `192.0.2.1 a b  c ${NAME}`,
    "before a comment": `192.0.2.1 ${NAME}#ours`,
    "in a block of ours without an end": `# BEGIN istio-vm (managed by pulumi-istio-vm)\n192.0.2.1 a ${NAME}`,
    "without a line break at the end": `::1 localhost\n192.0.2.1 ${NAME}`,
  };
  for (const [how, text] of Object.entries(OTHERS)) {
    it(`finds istiod's name ${how}`, async () =>
      assert.deepEqual(await findings({ "/etc/hosts": `127.0.0.1 localhost\n${text}` }), [
        `IVM715 /etc/hosts has another address for ${NAME}, 192.0.2.1: remove that line`,
      ]));
  }

  it("lets a line be that is set aside where what was done by hand is taken over, unless it has other names", async () => {
    const adopting = (line: string) => findings({ "/etc/hosts": `${line}\n` }, { adopt: "adopt yes" });
    assert.deepEqual(await adopting(`192.0.2.1 ${NAME} ${NAME}.cluster.local`), []);
    const [found = ""] = await adopting(`192.0.2.1 ${NAME} database`);
    assert.match(found, /^IVM715 .* 192\.0\.2\.1, in a line with other names, .*: give istiod a line of its own$/);
  });

  const SAME: Record<string, [text: string, wanted?: string]> = {
    "the same address": [`${WANTED} x ${NAME}.`],
    "the same address, in other letters": [`2001:DB8:0:0::0A ${NAME}`, "2001:db8::a"],
    "a comment": [`192.0.2.1 x # ${NAME}`],
    "a line that is commented out": [`  #192.0.2.1 ${NAME}`],
    "a longer name": [`192.0.2.1 ${NAME}.cluster.local x.${NAME}`],
    "a name without its dots": ["192.0.2.1 istiodxistio-systemxsvc"],
    "our own block": [`# BEGIN istio-vm (managed by pulumi-istio-vm)\n192.0.2.1 ${NAME}\n# END istio-vm`],
  };
  for (const [what, [text, wanted]] of Object.entries(SAME)) {
    it(`lets be: ${what}`, async () => assert.deepEqual(await findings({ "/etc/hosts": `${text}\n` }, { wanted }), []));
  }

  it("finds an IPv6 address that is another", async () => {
    const [found = ""] = await findings({ "/etc/hosts": `2001:db8::b ${NAME}\n` }, { wanted: "2001:db8::a" });
    assert.match(found, /another address for .*, 2001:db8::b:/);
  });

  it("finds that /etc/hosts is not asked", async () => {
    for (const line of ["hosts: dns", "hosts:\tdns mdns4 # files"])
      assert.match((await findings({ "/etc/nsswitch.conf": `${line}\n` })).join(), /^IVM715 .*put `files`/, line);
    for (const line of ["hosts: files dns", "hosts:          mymachines resolve [!UNAVAIL=return] dns", "passwd: db"])
      assert.deepEqual(await findings({ "/etc/nsswitch.conf": `${line}\n` }), [], line);
  });

  const CFG = "/etc/cloud/cloud.cfg";
  const OWN = "/var/lib/cloud/instance/cloud-config.txt";
  const MODULES = "cloud_init_modules:\n - seed_random\n - update_etc_hosts\n - ssh\n";
  const cloud = (files: Record<string, string>, stock = MODULES) => findings({ [CFG]: stock, ...files });

  const REWRITES: Record<string, [files: Record<string, string>, by: string]> = {
    "the image's own file": [{ [CFG]: `manage_etc_hosts: true\n${MODULES}` }, CFG],
    "another spelling": [
      { "/etc/cloud/cloud.cfg.d/50.cfg": `"manage_etc_hosts" : 'True'  # so\n` },
      "/etc/cloud/cloud.cfg.d/50.cfg",
    ],
    "a template": [
      { "/etc/cloud/cloud.cfg.d/50.cfg": "manage_etc_hosts: template\r\n" },
      "/etc/cloud/cloud.cfg.d/50.cfg",
    ],
    "the last of several": [
      {
        [CFG]: `manage_etc_hosts: false\n${MODULES}`,
        "/etc/cloud/cloud.cfg.d/10.cfg": "manage_etc_hosts: localhost\n",
        "/etc/cloud/cloud.cfg.d/90.cfg": "{manage_etc_hosts: yes}\n",
      },
      "/etc/cloud/cloud.cfg.d/90.cfg",
    ],
    "user-data": [
      {
        "/etc/cloud/cloud.cfg.d/zz.cfg": "manage_etc_hosts: false\n",
        [OWN]: "#cloud-config\nmanage_etc_hosts: true\n",
      },
      OWN,
    ],
    "vendor-data": [
      { [OWN.replace("cloud-config", "vendor-cloud-config")]: "manage_etc_hosts: on\n" },
      OWN.replace("cloud-config", "vendor-cloud-config"),
    ],
  };
  for (const [what, [files, by]] of Object.entries(REWRITES)) {
    it(`finds that cloud-init rewrites /etc/hosts: ${what}`, async () => {
      const [found = "", ...more] = await cloud(files);
      assert.match(found, /^IVM726 cloud-init rewrites \/etc\/hosts at each boot/);
      assert.ok(found.includes(by), found);
      assert.deepEqual(more, []);
      // Over what the instance was given the image's files have no say.
      assert.match(
        found,
        by.startsWith("/etc") ? /echo 'manage_etc_hosts: false' >\S+zz-hosts\.cfg$/ : /hosts\.debian\.tmpl/,
      );
    });
  }

  const LEAVES: Record<string, [files: Record<string, string>, stock?: string]> = {
    "it is off later": [
      { [CFG]: `manage_etc_hosts: true\n${MODULES}`, "/etc/cloud/cloud.cfg.d/zz.cfg": "manage_etc_hosts: false\n" },
    ],
    "user-data says otherwise": [
      { "/etc/cloud/cloud.cfg.d/zz.cfg": "manage_etc_hosts: true\n", [OWN]: "manage_etc_hosts: False\n" },
    ],
    "only the line of the host's own name": [{ [OWN]: "manage_etc_hosts: localhost\n" }],
    "a comment": [{ [OWN]: "# manage_etc_hosts: true\n#manage_etc_hosts: true\n" }],
    "a file that it writes": [{ [OWN]: "write_files:\n- path: /x\n  content: |\n    manage_etc_hosts: true\n" }],
    "another ending": [{ "/etc/cloud/cloud.cfg.d/zz.cfg.off": "manage_etc_hosts: true\n" }],
    "it is switched off": [{ [OWN]: "manage_etc_hosts: true\n", "/etc/cloud/cloud-init.disabled": "" }],
    "it found no data this time": [{ [OWN]: "manage_etc_hosts: true\n", "/run/cloud-init/disabled": "" }],
    "switched off by the kernel's command line": [
      { [OWN]: "manage_etc_hosts: true\n", "/proc/cmdline": "ro cloud-init=disabled quiet\n" },
    ],
    "the module does not run": [
      { [OWN]: "manage_etc_hosts: true\n" },
      "cloud_init_modules:\n - ssh\ncloud_final_modules:\n - update_etc_hosts\n",
    ],
    "the template has the address": [
      {
        [OWN]: "manage_etc_hosts: true\n",
        "/etc/cloud/templates/hosts.debian.tmpl": `127.0.1.1 {{hostname}}\n${WANTED} ${NAME}\n`,
      },
    ],
  };
  for (const [what, [files, stock]] of Object.entries(LEAVES)) {
    it(`lets cloud-init be: ${what}`, async () => assert.deepEqual(await cloud(files, stock), []));
  }

  it("asks nothing where there is no cloud-init", async () => {
    const files = { [CFG]: `manage_etc_hosts: true\n${MODULES}` };
    assert.deepEqual(await findings(files, { cloudInit: false }), []);
  });

  it("finds what else makes /etc/hosts anew", async () => {
    const tmpfiles = async (line: string) => (await findings({ "/etc/tmpfiles.d/x.conf": `${line}\n` })).join();
    for (const line of [
      "L+ /etc/hosts - - - - /nix/store/x/hosts",
      "f+! /etc/hosts 0644 root root - x",
      "w /etc/hosts - - - - x",
    ])
      assert.match(
        await tmpfiles(line),
        /^IVM726 systemd-tmpfiles rewrites .*remove its line from \/etc\/tmpfiles\.d\/x\.conf/,
        line,
      );
    for (const line of [
      "L /etc/hosts - - - - /x",
      "f /etc/hosts 0644",
      "z /etc/hosts 0644",
      "#L+ /etc/hosts",
      "L+ /etc/hosts.allow",
    ])
      assert.equal(await tmpfiles(line), "", line);

    const mount = async (root: string) =>
      (await findings({ "/proc/self/mountinfo": `9 1 8:1 ${root} /etc/hosts rw - ext4 /dev/sda rw\n` })).join();
    assert.match(
      await mount("/var/lib/docker/containers/0a/hosts"),
      /^IVM726 the container's runtime .*--add-host istiod\.istio-system\.svc:192\.0\.2\.10/,
    );
    assert.match(await mount("/kubelet/pods/0a/etc-hosts"), /^IVM726/);
    assert.equal(await mount("/srv/hosts"), "");
  });
});
