import assert from "node:assert/strict";
import type { HostConfig } from "../../../config";
import { type Impact, impactOf, type Surroundings } from "../../../diagnosis/impact";
import type { PeerAuthentication } from "../../../diagnosis/peerAuthentication";
import { parseSocket } from "../../../diagnosis/sockets";
import type { Facts } from "../../../diagnosis/facts";
import { freshFacts, healthyFacts, inspectionOf, joinedOf } from "./checks/facts";
import { socketsOf } from "./realSockets";

const strict: PeerAuthentication = {
  metadata: { name: "strict", namespace: "vm" },
  spec: { mtls: { mode: "STRICT" } },
};
const REFUSED = { problem: "jo may not read it", forbidden: true };

/** A line of ss for a client of port 8080, or for what the host sends. */
const from = (address: string, port = 8080, program = "app") =>
  parseSocket(`ESTAB 0 0 172.30.0.22:${port} ${address}:50000 users:(("${program}",pid=1,fd=4))`)!;
const to = (place: string) => parseSocket(`ESTAB 0 0 172.30.0.22:40000 ${place} users:(("curl",pid=2,fd=5))`)!;
const listen = (place: string, program = "app") =>
  parseSocket(`LISTEN 0 5 ${place} 0.0.0.0:* users:(("${program}",pid=1,fd=3))`)!;
const SERVED = listen("0.0.0.0:8080");

describe("the impact of a join", () => {
  let facts: Facts;
  let vm2: HostConfig;
  let around: Surroundings;
  beforeEach(async () => {
    facts = await freshFacts();
    vm2 = facts.config!.hosts[1]!;
    Object.assign(vm2, { address: "172.30.0.22" });
    around = facts.surroundings!;
    around.pods = [
      { name: "default/sleep", addresses: ["10.244.0.5", "fd00::5"], hostNetwork: false, sidecar: true },
      { name: "default/plain", addresses: ["10.244.0.6"], hostNetwork: false, sidecar: false },
      { name: "kube-system/proxy", addresses: ["192.0.2.10"], hostNetwork: true, sidecar: false },
    ];
    inspectionOf(facts, "vm2").sockets = socketsOf("new");
  });

  const impact = (): Impact =>
    impactOf(vm2, inspectionOf(facts, "vm2"), {
      config: facts.config!,
      outputs: facts.outputs,
      surroundings: around,
    });
  const withSockets = (...sockets: ReturnType<typeof parseSocket>[]) => {
    inspectionOf(facts, "vm2").sockets = sockets.map((socket) => socket!);
    return impact();
  };
  const fates = ({ ports }: Impact) =>
    ports.flatMap(({ clients }) =>
      clients.map(({ address, from: { kind }, fate, policy }) => [address, kind, fate, policy?.mode]),
    );
  /** What a service says of the port. */
  const speaks = (protocol: "HTTP" | "TCP") =>
    (facts.config!.services = [
      { name: "web", namespace: "vm", hosts: ["vm2"], ports: [{ port: 80, targetPort: 8080, protocol }] },
    ]);

  it("is what comes in to the inbound ports, by whom, of a real machine", () => {
    speaks("HTTP");
    const { host, joined, sidecarRuns, outboundRanges, ports, outbound } = impact();
    assert.deepEqual([host, joined, sidecarRuns, outboundRanges], ["vm2", false, false, "10.96.0.0/16"]);
    assert.deepEqual(ports, [
      {
        port: "8080",
        program: "app",
        problem: undefined,
        clients: [
          {
            ...{ address: "172.30.0.1", port: 8080, program: "app", count: 2 },
            ...{ from: { kind: "stranger" }, fate: "plain", policy: { mode: "PERMISSIVE" } },
          },
        ],
      },
    ]);
    assert.deepEqual(outbound, [], "nothing goes to the service range");
  });

  describe("on clients", () => {
    const CLIENTS = ["203.0.113.9", "10.244.0.5", "[fd00::5]", "10.244.0.6", "192.0.2.10", "192.0.2.21", "127.0.0.1"];
    const who = () => withSockets(SERVED, ...[...CLIENTS, "172.30.0.22"].map((address) => from(address)));

    it("under PERMISSIVE is none where clients speak first", () => {
      speaks("HTTP");
      assert.deepEqual(fates(who()), [
        ["10.244.0.5", "member", "mutualTls", "PERMISSIVE"],
        ["10.244.0.6", "pod", "plain", "PERMISSIVE"],
        ["127.0.0.1", "self", "past", "PERMISSIVE"],
        ["172.30.0.22", "self", "past", "PERMISSIVE"],
        ["192.0.2.10", "node", "plain", "PERMISSIVE"],
        ["192.0.2.21", "newHost", "plain", "PERMISSIVE"],
        ["203.0.113.9", "stranger", "plain", "PERMISSIVE"],
        ["fd00::5", "member", "mutualTls", "PERMISSIVE"],
      ]);
    });

    it("under PERMISSIVE is a wait where the server may speak first: at a port of TCP, or of no service", () => {
      const waiting = () => fates(who()).flatMap(([, kind, fate]) => (fate === "waits" ? [kind] : []));
      const expected = ["pod", "node", "newHost", "stranger"];
      speaks("TCP");
      assert.deepEqual(waiting(), expected);
      facts.config!.services = [];
      assert.deepEqual(waiting(), expected);
    });

    it("under STRICT is a refusal of all who have no sidecar, as far as one can know", () => {
      around.peerAuthentications = [strict];
      const found: unknown = Object.fromEntries(fates(who()).map(([, kind, fate]) => [kind, fate]));
      assert.deepEqual(found, {
        self: "past",
        member: "mutualTls",
        pod: "refused",
        stranger: "refused",
        newHost: "refused",
        node: "refusedUnlessMember",
      });
    });

    it("under DISABLE is none at all", () => {
      around.peerAuthentications = [{ ...strict, spec: { mtls: { mode: "DISABLE" } } }];
      assert.deepEqual([...new Set(fates(who()).map(([, , fate]) => fate))], ["plain", "past"]);
    });

    it("counts a policy by the labels of the host's workload, and that of the mesh's root namespace", () => {
      const policy = (namespace: string, selector?: object): PeerAuthentication => ({
        metadata: { name: "p", namespace },
        spec: { ...strict.spec, ...(selector && { selector }) },
      });
      const mode = () => impactOf(vm2, inspectionOf(facts, "vm2"), situation()).ports[0]!.clients[0]!.policy!.mode;
      const situation = () => ({ config: facts.config!, surroundings: around });
      for (const [peerAuthentications, expected] of [
        [[policy("vm", { matchLabels: { app: "vm2" } })], "STRICT"],
        [[policy("vm", { matchLabels: { "pulumi-istio-vm/host": "vm2" } })], "STRICT"],
        [[policy("vm", { matchLabels: { "pulumi-istio-vm/host": "vm3" } })], "PERMISSIVE"],
        [[policy("istio-system")], "STRICT"],
        [[policy("mesh")], "PERMISSIVE"],
      ] as const) {
        speaks("HTTP");
        around.peerAuthentications = [...peerAuthentications];
        assert.equal(mode(), expected);
      }
      around = { ...around, peerAuthentications: [policy("mesh")], rootNamespaces: ["mesh"] };
      assert.equal(mode(), "STRICT");
    });

    it("says a host of the stack to be in the mesh once it is joined", async () => {
      facts.outputs = (await healthyFacts()).outputs;
      assert.deepEqual(fates(withSockets(SERVED, from("192.0.2.21"))), [
        ["192.0.2.21", "member", "mutualTls", "PERMISSIVE"],
      ]);
    });

    it("does not take who is where a host was that is gone for that host", () => {
      facts.config!.hosts[0]!.gone = true;
      assert.equal(fates(withSockets(SERVED, from("192.0.2.21")))[0]![1], "stranger");
    });

    it("is not known where the cluster may not be read", () => {
      around.pods = REFUSED;
      around.peerAuthentications = [strict];
      assert.deepEqual(fates(withSockets(SERVED, from("203.0.113.9"), from("10.244.0.5"))), [
        ["10.244.0.5", "unknown", "refusedUnlessMember", "STRICT"],
        ["203.0.113.9", "unknown", "refusedUnlessMember", "STRICT"],
      ]);
      around.peerAuthentications = REFUSED;
      assert.deepEqual(fates(withSockets(SERVED, from("203.0.113.9"))), [
        ["203.0.113.9", "unknown", "unknown", undefined],
      ]);
    });
  });

  describe("on ports", () => {
    const ports = (of: Impact) => of.ports.map(({ port, program, problem }) => [port, program, problem]);

    it("tells where nothing listens, and what listens at loopback alone", () => {
      vm2.inboundPorts = [9191, 7070, 8080, 9192];
      assert.deepEqual(ports(impact()), [
        ["7070", undefined, "nothingListens"],
        ["8080", "app", undefined],
        ["9191", "python3", "loopbackOnly"],
        ["9192", "python3", "loopbackOnly"],
      ]);
    });

    it("with \"*\" is on all at which something listens for others, but SSH's and the sidecar's own", () => {
      vm2.inboundPorts = "*";
      inspectionOf(facts, "vm2").sshPort = 2222;
      vm2.ssh.port = 2200;
      const places = ["0.0.0.0:22", "0.0.0.0:2200", "0.0.0.0:2222", "127.0.0.1:53", "0.0.0.0:15021", "[::]:8080"];
      assert.deepEqual(ports(withSockets(...places.map((place) => listen(place)))), [["8080", "app", undefined]]);
    });

    it("leaves what a container publishes past the sidecar", () => {
      inspectionOf(facts, "vm2").published = ["8080", "18000-18002"];
      const engine = listen("0.0.0.0:8080", "docker-proxy");
      const found = withSockets(engine, from("203.0.113.9", 8080, "docker-proxy"));
      assert.deepEqual(ports(found), [["8080", "docker-proxy", "published"]]);
      assert.deepEqual(fates(found), [["203.0.113.9", "stranger", "past", undefined]]);
      vm2.inboundPorts = "*";
      assert.deepEqual(ports(withSockets(engine, listen("0.0.0.0:18001"))), [
        ["8080", "docker-proxy", "published"],
        ["18001", "app", "published"],
        ["18000-18002", undefined, "published"],
      ]);
    });
  });

  describe("on what goes out", () => {
    const out = (of: Impact) =>
      of.outbound.map(({ address, port, program, count, to }) => [address, port, program, count, to]);

    it("is on what goes to the service range, and says to which service", () => {
      const found = withSockets(
        SERVED,
        to("10.96.0.1:443"),
        to("10.96.0.1:443"),
        to("10.96.7.7:80"),
        to("10.97.0.1:443"),
      );
      assert.deepEqual(out(found), [
        ["10.96.7.7", 80, "curl", 1, { kind: "stranger" }],
        ["10.96.0.1", 443, "curl", 2, { kind: "service", name: "service default/kubernetes" }],
      ]);
    });

    it("is by the range that the configuration says, with what is allocated to names where it knows them", () => {
      facts.config!.serviceCidr = "10.97.0.0/16";
      assert.deepEqual(
        out(withSockets(to("10.96.0.1:443"), to("10.97.0.1:443"))).map(([address]) => address),
        ["10.97.0.1"],
      );
      vm2.dns = true;
      assert.equal(out(withSockets(to("240.240.0.7:443"))).length, 1);
    });

    it('with "*" is on all but what stays on the host', () => {
      facts.config!.serviceCidr = "*";
      const found = withSockets(
        SERVED,
        from("127.0.0.1"),
        to("127.0.0.1:9"),
        to("172.30.0.22:80"),
        to("[2001:db8::1]:443"),
      );
      assert.deepEqual(out(found), [["2001:db8::1", 443, "curl", 1, { kind: "stranger" }]]);
    });

    it("leaves out what the host's environment takes out", () => {
      facts.config!.serviceCidr = "*";
      vm2.environment = { ISTIO_SERVICE_EXCLUDE_CIDR: "10.0.0.0/8", ISTIO_LOCAL_OUTBOUND_PORTS_EXCLUDE: "25,389" };
      const found = withSockets(to("10.1.2.3:80"), to("203.0.113.1:389"), to("203.0.113.1:80"));
      assert.deepEqual(
        out(found).map(([address, port]) => [address, port]),
        [["203.0.113.1", 80]],
      );
    });

    it("is not known where the cluster does not tell its range", () => {
      around.serviceCidr = REFUSED;
      const { outboundRanges, outbound } = withSockets(to("10.96.0.1:443"));
      assert.deepEqual([outboundRanges, outbound], [REFUSED, []]);
    });
  });

  it("of a host that is joined is what its sockets say: clients at Envoy's port, and programs that Envoy asks", async () => {
    facts = await healthyFacts();
    assert.ok(joinedOf(facts, "vm2"));
    Object.assign(facts.config!.hosts[1]!, { address: "172.30.0.21" });
    vm2 = facts.config!.hosts[1]!;
    inspectionOf(facts, "vm2").sockets = socketsOf("joined");
    around = facts.surroundings!;
    const found = impact();
    assert.deepEqual([found.joined, found.sidecarRuns], [true, true]);
    assert.deepEqual(
      found.ports.map(({ port, program }) => [port, program]),
      [
        ["8080", "app"],
        ["15006", "envoy"],
      ],
    );
    assert.deepEqual(fates(found), [
      ["127.0.0.6", "sidecar", "already", undefined],
      ["172.30.0.1", "stranger", "already", undefined],
      ["172.30.0.21", "self", "already", undefined],
    ]);
    const out = () => impact().outbound.map(({ address, port, program, count }) => [address, port, program, count]);
    assert.deepEqual(out(), [["10.96.0.1", 443, "python3", 2]]);
    facts.config!.serviceCidr = "*";
    assert.deepEqual(out(), [["10.96.0.1", 443, "python3", 2]], "what Envoy and the agent send is not the programs'");
  });
});
