import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { parseInspection } from "../../../diagnosis/inspection";
import { withCommands, withDirectory } from "../support";

const SCRIPTS = join(__dirname, "../../../host");
const ISTIOD = "istiod.istio-system.svc";

/** The state of a host that has its files in `directory`. */
const stateIn = (directory: string) => `host vm1
owner 0123
identity spiffe://cluster.local/ns/vm/sa/default
package deb amd64 aa https://example.org/istio-sidecar.deb
hosts 192.0.2.10 ${ISTIOD}
cluster.env ISTIO_INBOUND_PORTS=8080
sidecar.env ISTIO_SVC_IP=192.0.2.21
file 0644 ${directory}/env/cluster.env lines:cluster.env restart
file 0644 ${directory}/env/sidecar.env lines:sidecar.env restart
file - /etc/hosts block:hosts restart
file 0644 ${directory}/certs/root-cert.pem roots:aa
file 0644 ${directory}/certs/cert-chain.pem sha256:bb
file 0600 ${directory}/certs/key.pem of-certificate:bb`;

/** A host that lacks nothing; what it says of itself is known. */
const COMMANDS = {
  date: `case $1 in +%s.%N) echo 1780315200.123456789 ;; *) exec /bin/date "$@" ;; esac`,
  hostname: "echo vm1",
  "systemd-detect-virt": "exit 1",
  timedatectl: "echo yes",
  "dpkg-query": "echo installed 1.31.0",
  dpkg: "echo amd64",
  getent: `case $2 in ${ISTIOD}) echo "192.0.2.10 STREAM ${ISTIOD}" ;; *) echo 127.0.0.1 ;; esac`,
  ss: `case "$*" in
    -Hltn) printf 'LISTEN 0 128 %s 0.0.0.0:*\\n' 0.0.0.0:22 '[::]:22' 192.0.2.21:8080 ;;
    -Htlnp) echo 'LISTEN 0 5 192.0.2.21:8080 0.0.0.0:* users:(("app",pid=32,fd=3))' ;;
    -Htnp) echo 'ESTAB 0 0 192.0.2.21:8080 192.0.2.9:40000 users:(("app",pid=32,fd=4))' ;;
  esac`,
  systemctl: `case "$*" in "is-active --quiet ufw") exit 0 ;; *) exit 3 ;; esac`,
  df: "printf 'Filesystem\\n/dev/sda1 1 1 5000 1%% /\\n'",
  uname: "echo x86_64",
  getconf: "echo glibc 2.36",
  curl: "exit 22",
  nft: `printf 'table ip docker-bridges {\n\tchain x {\n\t\ttcp dport 8443 dnat to 172.17.0.2:443\n\t}\n}\n'`,
  ip: `[ "$*" != '-o link show type bridge' ] || printf '%s: %s: <UP> mtu 1500\n' 2 docker0 3 br0 4 br-20a44343e964`,
  ...Object.fromEntries(["sudo", "flock"].map((tool) => [tool, "exit 0"])),
  ...Object.fromEntries(["", "-nft", "-legacy"].map((kind) => [`iptables${kind}`, "exit 0"])),
  ...Object.fromEntries(
    ["iptables-nft", "iptables-legacy", "ip6tables-nft", "ip6tables-legacy"].map((tool) => [`${tool}-save`, "exit 0"]),
  ),
};

/** What `istio-vm inspect` prints on such a host, with all that is the program's own in `directory`. */
function inspect(
  directory: string,
  commands: Record<string, string> = {},
  action: "inspect" | "impact" = "inspect",
): Promise<string> {
  const script = `set -eu
    here=$0
    for file in lib rules files certificate identity dns package check adopt leave status inspect sockets; do . "$0/$file.sh"; done
    HOME_DIR=$1 RECORD=$1/record CERTS=$1/certs ENV_DIR=$1/env IDENTITY=$1/identity
    here=$1 HOST=vm1 SSH_PORT=22 STATE=$2
    ${action}`;
  return withCommands({ ...COMMANDS, ...commands }, () => {
    const { stdout, stderr, status } = spawnSync("sh", ["-c", script, SCRIPTS, directory, stateIn(directory)], {
      encoding: "utf8",
    });
    assert.deepEqual([status, stderr], [0, ""]);
    return stdout;
  });
}

const place = (address: string, port?: number) => ({ address, port });
const SOCKETS = [
  { listening: true, local: place("192.0.2.21", 8080), peer: place("*"), program: "app" },
  { listening: false, local: place("192.0.2.21", 8080), peer: place("192.0.2.9", 40000), program: "app" },
];

describe("parseInspection", () => {
  it("reads what a host prints that is not joined", () =>
    withDirectory(async (directory) => {
      const found = parseInspection(await inspect(directory));
      // Of the machine on which the tests run.
      const { os, machineId, nameservers, packageManagerHeldBy, findings, ...known } = found;
      void [machineId, packageManagerHeldBy];
      assert.ok(os.length > 0);
      assert.ok(nameservers.every((server) => /^[\da-f.:]+$/.test(server)));
      // Whether this machine was booted by systemd.
      assert.deepEqual(
        findings.filter(({ code }) => code !== "IVM705"),
        [],
      );
      assert.deepEqual(known, {
        epoch: 1780315200.123456789,
        hostname: "vm1",
        clockSynchronized: true,
        sidecar: "1.31.0",
        istiodAddress: undefined,
        listening: [22, 8080],
        takes: "deb amd64",
        packageReachable: false,
        settings: [],
        bridges: ["docker0", "br-20a44343e964"],
        published: ["8443"],
        sockets: SOCKETS,
        socketsProblem: undefined,
        sshPort: 22,
        joined: undefined,
      });
    }));

  it("reads what a host prints that can tell little", () =>
    withDirectory(async (directory) => {
      const quiet = ["timedatectl", "dpkg-query", "getent", "ss", "systemctl", "curl"];
      const found = parseInspection(
        await inspect(directory, {
          ...Object.fromEntries(quiet.map((command) => [command, "exit 1"])),
          dpkg: "echo riscv64",
          df: "printf 'Filesystem\\n/dev/sda1 1 1 12 1%% /\\n'",
        }),
      );
      assert.deepEqual(
        [found.clockSynchronized, found.sidecar, found.istiodAddress, found.listening],
        [undefined, undefined, undefined, []],
      );
      assert.deepEqual([found.sockets, found.socketsProblem], [[], "ss failed without a word"]);
      assert.deepEqual(
        found.findings.filter(({ code }) => code !== "IVM705"),
        [
          { code: "IVM704", message: "its architecture is riscv64: Istio's sidecar needs x86_64 or aarch64" },
          { code: "IVM711", message: "it can't resolve even its own name: check /etc/hosts and /etc/nsswitch.conf" },
          ...["/usr", "/var", "/etc"].map((dir) => ({
            code: "IVM712",
            message: `${dir} has 12 MB free: the sidecar needs 400`,
          })),
        ],
      );
    }));

  /** Puts what join leaves into the directory, a text for each file. */
  function write(directory: string, files: Record<string, string>): void {
    for (const folder of ["record", "certs", "identity", "env"]) mkdirSync(join(directory, folder));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  }

  it("reads what a host prints that is joined, and was changed by hand", () =>
    withDirectory(async (directory) => {
      write(directory, {
        "record/owner": "0123\n",
        state: `${stateIn(directory)}\n`,
        "certs/root-cert.pem": "the root\n",
        "certs/cert-chain.pem": "the chain\nof two\n",
        "identity/cert-chain.pem": "what was sent\n",
        "env/cluster.env": "ISTIO_INBOUND_PORTS=9090\nready        ! by hand\n",
        "env/sidecar.env": "ISTIO_SVC_IP=192.0.2.21\n",
      });
      const { joined } = parseInspection(await inspect(directory));
      assert.ok(joined?.changed && Math.abs(Date.now() - joined.changed.getTime()) < 60_000);
      assert.deepEqual(joined, {
        owner: "0123",
        changed: joined.changed,
        connected: false,
        configured: undefined,
        certChain: "the chain\nof two\n",
        sentChain: "what was sent\n",
        rootCert: "the root\n",
        identity: "spiffe://cluster.local/ns/vm/sa/default",
        captured: "in 8080",
        ready: false,
        unfinished: false,
        drift: ["unit", "iptables", "cluster.env", "hosts", "certificate"],
      });
    }));

  it("reads whose sockets a host has, for its impact, also of one that is joined", () =>
    withDirectory(async (directory) => {
      write(directory, { "record/owner": "0123\n" });
      const nothingElse = { curl: "echo no; exit 1", timedatectl: "echo no; exit 1" };
      const said = await inspect(directory, nothingElse, "impact");
      assert.deepEqual(
        [
          ...new Set(
            said
              .trim()
              .split("\n")
              .map((line) => line.split(" ")[0]),
          ),
        ],
        [...["epoch", "owner", "bridge", "published", "ssh-port", "socket"]],
      );
      const { joined, sockets, published } = parseInspection(said);
      assert.deepEqual([joined?.owner, sockets, published], ["0123", SOCKETS, ["8443"]]);
      const without = parseInspection(
        await inspect(directory, { ss: "echo 'sh: 1: ss: not found' >&2; exit 127" }, "impact"),
      );
      assert.deepEqual([without.sockets, without.socketsProblem], [[], "sh: 1: ss: not found"]);
      // doctor asks only of what a join would change.
      assert.deepEqual(parseInspection(await inspect(directory)).sockets, []);
    }));

  it("reads what a host prints whose first join was cut off", () =>
    withDirectory(async (directory) => {
      write(directory, { "record/owner": "0123\n", joining: `${stateIn(directory)}\n` });
      const { joined } = parseInspection(await inspect(directory));
      assert.deepEqual(
        [joined?.owner, joined?.changed, joined?.unfinished, joined?.certChain, joined?.rootCert],
        ["0123", undefined, true, undefined, undefined],
      );
    }));

  it("reads what a host prints that is well", () => {
    const { joined } = parseInspection(`epoch 1780315200.5
owner 0123
changed 1780315100
connected 1
configured 1780315150999
status identity     spiffe://cluster.local/ns/vm/sa/default
status captured     nothing
status ready        yes, in sync with istiod`);
    assert.deepEqual(joined, {
      owner: "0123",
      changed: new Date(1780315100_000),
      connected: true,
      configured: new Date(1780315150_999),
      certChain: undefined,
      sentChain: undefined,
      rootCert: undefined,
      identity: "spiffe://cluster.local/ns/vm/sa/default",
      captured: "nothing",
      ready: true,
      unfinished: false,
      drift: [],
    });
  });

  it("has every finding, with any words", () => {
    const words = fc.string({ unit: "binary" }).map((text) => text.replaceAll("\n", "").trim());
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom("IVM704", "IVM712"), words)), (findings) => {
        const lines = findings.map(([code, message]) => `finding ${code} ${message}\n`);
        assert.deepEqual(
          parseInspection(`epoch 1\n${lines.join("")}`).findings,
          findings.map(([code, message]) => ({ code, message })),
        );
      }),
    );
  });

  it("takes any lines, known or not, once there is the time", () => {
    const keys = [
      "os",
      "ntp",
      "listening",
      "finding",
      "owner",
      "changed",
      "status",
      "cert-chain",
      "sent-chain",
      "configured",
      "x",
    ];
    const line = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.tuple(fc.constantFrom(...keys), fc.string({ unit: "binary" })).map((parts) => parts.join(" ")),
    );
    fc.assert(
      fc.property(fc.array(line), fc.array(line), (before, after) => {
        const text = [...before.filter((each) => !/^epoch/m.test(each)), "epoch 17.5", ...after].join("\n");
        assert.equal(parseInspection(text).epoch, 17.5);
      }),
    );
  });

  for (const text of [
    "",
    "\n",
    "epoch\n",
    "epoch \n",
    "epoch now\n",
    "sh: 1: istio-vm: not found\n",
    "os epoch 17\n",
  ]) {
    it(`refuses ${JSON.stringify(text)}, and says what it got`, () => {
      assert.throws(() => parseInspection(text), { message: `istio-vm inspect said ${JSON.stringify(text)}` });
    });
  }
});
