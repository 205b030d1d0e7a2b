import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { captureLines } from "../../../mesh/environment";
import { type Capture, type Ports } from "../../../mesh/capture";
import { until } from "../../../lab/run";
import { readPage } from "../../e2e/mesh";
import { fromPod, requestsDuring } from "../../support/traffic";
import { mustSucceed, type Host } from "../host";
import type { Mesh } from "../mesh";
import { assertRestored } from "../restored";
import { withTimes } from "../times";

/** A stack's state with another `capture`, and other inbound ports. */
export function withCapture(state: string, capture: Capture, inboundPorts: Ports = [8080]): string {
  const lines = /^cluster\.env ISTIO_SERVICE_CIDR=(.*)\ncluster\.env ISTIO_INBOUND_PORTS=.*$/m;
  const [, serviceCidr] = lines.exec(state) ?? assert.fail("the state says nothing of what is captured");
  const changed = captureLines({ capture, inboundPorts, serviceCidr: serviceCidr! });
  return state.replace(lines, changed.map((line) => `cluster.env ${line}`).join("\n"));
}

/** The changes of a host that is taken into the mesh step by step, and what status then says of it. */
const STEPS: [what: string, capture: Capture, ports: number[], captured: RegExp][] = [
  ["a port", "inbound", [8080], /^in 8080$/],
  ["more ports", "inbound", [8080, 9090], /^in 8080,9090$/],
  ["everything", "all", [8080, 9090], /^in 8080,9090, out 10\.96\.0\.0\/16$/],
  ["what comes in alone", "inbound", [8080, 9090], /^in 8080,9090$/],
  ["a port less", "inbound", [8080], /^in 8080$/],
  ["nothing", "none", [8080], /^nothing$/],
];

/**
 * Whose the mesh takes a request from the host for; undefined if it went past the sidecar, where nobody answers: only the mesh
 * knows the service's endpoints.
 */
async function identityOf(host: Host): Promise<string | undefined> {
  return readPage(await host.sh("curl -s --max-time 5 http://vmhttp.vm.svc.cluster.local:8080/ || :")).client;
}

/** Opens a connection. @returns what asks by it, and gives the beginning of the answer */
async function opened(address: string, port: number): Promise<() => Promise<string>> {
  const socket = connect(port, address);
  socket.on("error", () => undefined); // who asks hears of it
  await once(socket, "connect");
  return async () => {
    socket.write("GET / HTTP/1.1\r\nHost: vm\r\n\r\n");
    const [answer] = (await once(socket, "data", { signal: AbortSignal.timeout(5000) })) as [Buffer];
    socket.destroy();
    return answer.toString();
  };
}

/** Of either kind of iptables. Tables that are empty are none; a legacy one stays until the host is switched off. */
const rulesOf = async (host: Host) => (await host.rules()).match(/^(-A|:\S+ -).*/gm) ?? [];

export function capturing(mesh: Mesh): void {
  describe("a host that lets the sidecar take no more than it shall", () => {
    let host: Host;
    const join = (capture: Capture, ports?: number[]) =>
      host.mustJoin({ state: withCapture(host.commands.state, capture, ports) });
    const captured = async () => /^captured +(.*)$/m.exec((await host.status()).output)?.[1] ?? "";

    before(async () => {
      host = mesh.host("vm2");
      // Which serves what the host asks for.
      await mesh.host("vm1").reset();
      await mesh.host("vm1").mustJoin();
    });
    beforeEach(() => host.reset());

    it("joins with capture: none, with its identity and in sync, and no rule is made; leave gives it back", async () => {
      const [before, rules] = [await host.snapshot(), await rulesOf(host)];
      await join("none");
      assert.match((await host.status()).output, /^ready +yes, in sync/m);
      assert.equal(await captured(), "nothing");
      assert.deepEqual(await rulesOf(host), rules);
      assert.equal(await identityOf(host), undefined);
      await host.exec("systemctl", "restart", "istio");
      await until("the sidecar to be ready", 30, async () => (await host.status()).exitCode === 0);
      assert.deepEqual(await rulesOf(host), rules);
      await host.mustLeave();
      await assertRestored(host, before);
    });

    it("goes from nothing to everything and back, port by port, and no request fails", async () => {
      const rules = await rulesOf(host);
      await host.sh("systemd-run --quiet --unit=host-test python3 -m http.server 9090 --directory /srv");
      await join("none");
      const sources = [8080, 9090].map((port) => fromPod(`to ${port}`, `http://${host.address}:${port}`));
      const idle = await Promise.all([8080, 9090].map((port) => opened(host.address, port)));
      for (const [what, capture, ports, says] of STEPS) {
        const requests = await requestsDuring(sources, () => join(capture, ports));
        const failed = requests.flat().filter(({ status }) => status !== 200);
        const longest = Math.max(...requests.flat().map(({ seconds }) => seconds));
        console.log(
          `        ${what}: ${failed.length} of ${requests.flat().length} requests failed, the longest took ${longest} s`,
        );
        assert.deepEqual(failed, []);
        assert.ok(requests.every(({ length }) => length > 10));
        assert.match(await captured(), says);
        // To itself, and to the mesh.
        await host.sh(`curl -sf --max-time 3 -o /dev/null http://127.0.0.1:8080 http://${host.address}:8080`);
        const expected = capture === "all" ? "spiffe://cluster.local/ns/vm/sa/vm2" : undefined;
        await until("the mesh to know who asks, or not", 20, async () => (await identityOf(host)) === expected);
        // By connections of before the first rules that nobody has used since.
        if (capture === "all") for (const ask of idle) assert.match(await ask(), /^HTTP\/1\.[01] 200 /);
      }
      assert.deepEqual(await rulesOf(host), rules, "rules are left");
    });

    for (const [from, to] of [
      ["none", "inbound"],
      ["inbound", "none"],
      ["all", "none"],
    ] as const) {
      it(`goes back from ${to} to ${from} if the change fails`, async () => {
        await join(from);
        const [rules, was] = [await rulesOf(host), await captured()];
        const state = `${withCapture(host.commands.state, to)}\nsidecar.env CA_ADDR=192.0.2.1:15012`;
        const { exitCode, output } = await host.join({ state, bundle: withTimes(host.bundle, { ready: 10 }) });
        assert.equal(exitCode, 3, output);
        assert.match(output, /write +ok/);
        // Where there were some before, the connections that were open then are tracked by now.
        const ofIstio = (all: string[]) => all.filter((rule) => !rule.includes("OPEN_BEFORE_ISTIO"));
        assert.deepEqual(ofIstio(await rulesOf(host)), ofIstio(rules));
        assert.equal(await captured(), was);
        mustSucceed(await host.status(), "status");
      });
    }

    it("says that there are rules where there shall be none, and the next join takes them away", async () => {
      await join("none");
      const rules = await rulesOf(host);
      await host.sh("ISTIO_INBOUND_PORTS=8080 pilot-agent istio-iptables >/dev/null 2>&1");
      const { exitCode, output } = await host.status();
      assert.equal(exitCode, 1, output);
      assert.match(output, /^iptables +! has rules of Istio, but nothing shall be captured/m);
      await join("none");
      assert.deepEqual(await rulesOf(host), rules);
    });
  });
}
