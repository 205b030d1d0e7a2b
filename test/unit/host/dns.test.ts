import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { withCommands } from "../support";

const HOST = join(__dirname, "../../../host");

/** Runs shell text behind host/dns.sh, on a host with these name servers. */
const run = (text: string, { servers = ["10.0.0.2"], commands = {} }: Options = {}) =>
  withCommands({ id: `[ "$1" = -u ] && echo 998 || echo 997`, ...commands }, () => {
    const script = `set -eu; here=$0; HOME_DIR=/nowhere
      for file in lib rules files dns check; do . "$0/$file.sh"; done
      name_servers() { printf '%s\\n' ${servers.join(" ")}; }
      finding() { printf '%s\\n' "$*"; }
      ${text}`;
    const { status, stdout, stderr } = spawnSync("dash", ["-c", script, HOST], { encoding: "utf8" });
    assert.deepEqual([status, stderr], [0, ""]);
    return stdout;
  });

interface Options {
  servers?: string[];
  commands?: Record<string, string>;
}

const jump = (output: string[]) =>
  run("istio_jump iptables-nft", {
    commands: {
      "iptables-nft-save": `printf '%s\\n' '*nat' ':OUTPUT ACCEPT [0:0]' ${output.map((r) => `'${r}'`).join(" ")}`,
    },
  });

describe("host/dns.sh", () => {
  it("leads nothing that the agent itself asks to the agent", async () => {
    const nat = (await run("dns_restore 1 10.0.0.2")).split("*nat\n")[1]!.split("\n");
    const redirected = nat.findIndex((line) => line.includes("REDIRECT"));
    for (const by of ["--uid-owner 998", "--gid-owner 997"]) {
      const own = nat.findIndex((line) => line.endsWith(`-m owner ${by} -j RETURN`));
      assert.ok(own >= 0 && own < redirected, nat.join("\n"));
    }
  });

  it("leads what is asked of each server, by UDP and TCP, and of no other", async () => {
    const rules = (await run("dns_restore 1 '10.0.0.2 127.0.0.53'")).split("\n");
    assert.deepEqual(
      rules.filter((rule) => rule.includes("REDIRECT")),
      ["10.0.0.2", "127.0.0.53"].flatMap((server) =>
        ["udp", "tcp"].map((by) => `-A DNS_TO_ISTIO -p ${by} --dport 53 -d ${server} -j REDIRECT --to-ports 15053`),
      ),
    );
  });

  for (const [what, output, place] of [
    ["Istio's own", ["-A OUTPUT -j MINE", "-A OUTPUT -j ISTIO_OUTPUT", "-A OUTPUT -j LATER"], "2"],
    ["nothing", ["-A OUTPUT -j MINE"], "2"],
    ["nothing either", [], "1"],
    ["a rule that only speaks of it", ['-A OUTPUT -m comment --comment "-j ISTIO_OUTPUT" -j MINE'], "2"],
  ] as const) {
    it(`comes before ${what}, and behind what others have`, async () =>
      assert.equal(await jump([...output]), `${place}\n`));
  }

  it("is in the kind of iptables that Istio's rules are in", async () => {
    const commands = {
      "iptables-nft-save": "printf '*nat\\n:OUTPUT ACCEPT [0:0]\\n'",
      "iptables-legacy-save": "printf '*nat\\n-A OUTPUT -j ISTIO_OUTPUT\\n'",
    };
    const script = "iptables_tables() { echo nat; }; tool_of_istio iptables";
    assert.equal(await run(script, { commands }), "iptables-legacy\n");
  });

  it("asks the agent where it listens: by IPv6 only where all name servers are", async () => {
    assert.equal(await run("agent_address"), "127.0.0.1\n");
    assert.equal(await run("agent_address", { servers: ["fd00::53"] }), "::1\n");
    assert.equal(await run("agent_address", { servers: ["fd00::53", "10.0.0.2"] }), "127.0.0.1\n");
  });
});

describe("names are looked up where the sidecar can answer", () => {
  const STATE = "file 0644 /etc/systemd/system/istio-vm-dns.service lines:dns";
  const check = (state: string, servers: string[], hosts = "files dns") =>
    run(
      `STATE='${state}'
      awk() { case $1 in *'"hosts:"'*) printf 'hosts: ${hosts}\\n' | command awk "$1" ;; *) command awk "$@" ;; esac; }
      resolved_listens() { true; }
      check_dns`,
      { servers },
    );

  it("is not asked of a host without dns", async () =>
    assert.equal(await check("host vm1", [""], "files resolve"), ""));
  it("is so with a name server", async () => assert.equal(await check(STATE, ["127.0.0.53"]), ""));
  it("is not without any", async () => assert.match(await check(STATE, [""]), /^IVM744 /));
  it("is so where nss-resolve comes after dns", async () =>
    assert.equal(await check(STATE, ["127.0.0.53"], "files dns resolve"), ""));
  it("is not where systemd-resolved is asked first", async () =>
    assert.match(await check(STATE, ["127.0.0.53"], "files resolve [!UNAVAIL=return] dns"), /^IVM743 /));
});
