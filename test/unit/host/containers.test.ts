import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const HOST = join(__dirname, "../../../host");
const fixture = (name: string) => readFileSync(join(__dirname, "../../fixtures/containers", `${name}.txt`), "utf8");

/** What host/containers.sh makes of these rule sets, each as its tool prints it. */
function run(command: string, sets: Record<string, string>, inbound = "8080"): string[] {
  const state = `cluster.env ISTIO_INBOUND_PORTS=${inbound}\nsidecar.env ISTIO_SVC_IP=192.0.2.7`;
  const script = `set -eu
    here=$0 action=\${2:-inspect}
    for file in lib containers; do . "$0/$file.sh"; done
    STATE=$1 RECORD=/
    rule_sets() { cat; }
    ip() { :; }
    finding() { printf '%s\\n' "$*"; }
    ${command}`;
  const input = Object.entries(sets)
    .map(([tool, rules]) => `@ ${tool}\n${rules}\n`)
    .join("");
  const { status, stdout, stderr } = spawnSync("dash", ["-c", script, HOST, state], { encoding: "utf8", input });
  assert.deepEqual([status, stderr], [0, ""]);
  return stdout.split("\n").filter((line) => line !== "");
}

const published = (sets: Record<string, string>) => run("containers", sets).sort();
const ports = (...all: string[]) => all.map((port) => `published ${port}`).sort();

describe("host/containers.sh", () => {
  it("reads what Docker and Podman publish, by whatever they make their rules", () => {
    const docker = ports("8080", "8443", "18000", "18001", "18002");
    assert.deepEqual(published({ "iptables-nft": fixture("docker-iptables") }), docker);
    assert.deepEqual(published({ "iptables-legacy": fixture("docker-iptables-legacy") }), docker);
    assert.deepEqual(published({ nft: fixture("docker-nft") }), ports("8080", "8443"));
    assert.deepEqual(published({ "iptables-nft": fixture("podman-iptables") }), ports("8080", "18000-18002"));
    assert.deepEqual(published({ nft: fixture("podman-nft") }), ports("8080", "18000-18002"));
  });

  it("tells a port once, whatever shows it", () =>
    assert.deepEqual(
      published({ "iptables-nft": fixture("docker-iptables"), nft: fixture("docker-nft") }),
      ports("8080", "8443", "18000", "18001", "18002"),
    ));

  it("looks at the address that a rule is for", () => {
    const rule = (to: string) =>
      published({
        "iptables-nft": `-A DOCKER -d ${to} -p tcp -m tcp --dport 80 -j DNAT --to-destination 172.17.0.2:80`,
      });
    assert.deepEqual(rule("192.0.2.7/32"), ports("80"));
    assert.deepEqual(rule("192.0.2.0/24"), ports("80"));
    assert.deepEqual(rule("192.0.2.8/32"), []);
    assert.deepEqual(rule("127.0.0.1/32"), []);
  });

  it("lets be what is no publishing", () =>
    assert.deepEqual(
      published({
        "iptables-nft": `-A PREROUTING -p tcp -j ISTIO_INBOUND
-A ISTIO_IN_REDIRECT -p tcp -j REDIRECT --to-ports 15006
-A ISTIO_INBOUND -p tcp -m tcp --dport 8080 -j ISTIO_IN_REDIRECT
-A KUBE-SEP-X -p tcp -m tcp -j DNAT --to-destination 10.0.0.1:80
-A x -p tcp -m tcp ! --dport 22 -j DNAT --to-destination 10.0.0.1
-A x -p tcp -m comment --comment "tcp dport 1 dnat to x" -j ACCEPT`,
        nft: `\t\ttcp dport != 22 dnat to 10.0.0.1\n\t\ttcp dport @set dnat to 10.0.0.1`,
      }),
      [],
    ));

  it("finds an inbound port that is a container's", () => {
    const found = (name: string, tool: string, inbound: string) =>
      run("check_published", { [tool]: fixture(name) }, inbound);
    const [finding = "", ...more] = found("docker-iptables", "iptables-nft", "9090,8080");
    assert.match(
      finding,
      /^IVM740 inbound port 8080 is sent on .*\(iptables-nft: -A DOCKER ! -i docker0 .* --dport 8080 -j DNAT .*\): run that/,
    );
    assert.deepEqual(more, []);
    assert.match(
      found("podman-nft", "nft", "18001").join(),
      /^IVM740 inbound port 18000-18002 .*\(nft: tcp dport 18000-18002 dnat/,
    );
    assert.deepEqual(found("podman-nft", "nft", "17999,18003,9090"), []);
    assert.deepEqual(found("podman-nft", "nft", "*"), []);
  });

  it("refuses no later join for it", () =>
    assert.deepEqual(run("action=join; check_published", { "iptables-nft": fixture("docker-iptables") }), []));
});
