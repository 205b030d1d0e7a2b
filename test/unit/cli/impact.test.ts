import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { type HostImpact, impactExit, renderImpact } from "../../../cli/impact";
import { colours } from "../../../cli/output";
import type { Impact, Inbound, Party, Surroundings } from "../../../diagnosis/impact";
import { freshFacts } from "../diagnosis/checks/facts";
import { fakeTools } from "./fakeTools";

const repository = join(__dirname, "..", "..", "..");
const REFUSED = { problem: 'jo is forbidden to list "pods"', forbidden: true };

const STRICT = { mode: "STRICT", by: "vm/strict" } as const;
const PERMISSIVE = { mode: "PERMISSIVE" } as const;
const client = (address: string, from: Party, fate: Inbound["fate"], more: Partial<Inbound> = {}): Inbound => ({
  ...{ address, port: 8080, program: "app", count: 1, from, fate, policy: STRICT },
  ...more,
});
const stranger: Party = { kind: "stranger" };
const member: Party = { kind: "member", name: "pod default/sleep" };

const impact = (change: Partial<Impact> = {}): Impact => ({
  host: "vm2",
  joined: false,
  sidecarRuns: false,
  inboundPorts: [8080, 9090],
  outboundRanges: "10.96.0.0/16",
  ports: [],
  outbound: [],
  ...change,
});

describe("cli/impact", () => {
  let around: Surroundings;
  beforeEach(async () => (around = (await freshFacts()).surroundings!));
  const lines = (...impacts: HostImpact[]) => renderImpact(impacts, around, colours(false)).split("\n");

  it("shows in a table what comes in, from whom, and what becomes of it; and below it what goes out", () => {
    const clients = [
      client("203.0.113.9", stranger, "refused", { count: 12 }),
      client("10.244.0.5", member, "mutualTls"),
      client("192.0.2.10", { kind: "node", name: "node node1" }, "refusedUnlessMember"),
      client("127.0.0.1", { kind: "self" }, "past"),
    ];
    const ports: Impact["ports"] = [
      { port: "8080", program: "app", clients },
      { port: "9090", problem: "nothingListens", clients: [] },
      { port: "9191", program: "db", problem: "loopbackOnly", clients: [] },
      { port: "9292", program: "web", clients: [] },
    ];
    const to: Party = { kind: "service", name: "service shop/orders" };
    const outbound = [
      { address: "10.96.0.7", port: 80, program: "curl", count: 3, to },
      { address: "fd00::7", port: 80, count: 1, to: stranger },
    ];
    assert.deepEqual(lines(impact({ ports, outbound })), [
      "vm2 is not joined. Its sidecar would take what comes in to port 8080, 9090, and what goes out to 10.96.0.0/16.",
      "",
      "  COMES IN TO  PROGRAM  FROM         WHO                             CONNECTIONS  IN THE MESH",
      "! 8080         app      203.0.113.9  outside the mesh                12           refused: vm/strict is STRICT",
      "! 8080         app      10.244.0.5   pod default/sleep, in the mesh  1            mutual TLS by the service's name, refused by the address: vm/strict is STRICT",
      "! 8080         app      192.0.2.10   node node1, or a pod behind it  1            refused, unless it is in the mesh: vm/strict is STRICT",
      "✓ 8080         app      127.0.0.1    this host itself                1            as now, past the sidecar",
      "! 9090         -        -            -                               -            nothing listens here: who comes is accepted, and then cut off",
      "! 9191         db       -            -                               -            it listens at loopback alone: who comes is accepted, and then cut off",
      "✓ 9292         web      nobody now   -                               0            through the sidecar",
      "",
      "  GOES OUT TO   PROGRAM  WHO                     CONNECTIONS",
      "✓ 10.96.0.7:80  curl     service shop/orders     3",
      "✓ [fd00::7]:80  -        unknown to the cluster  1",
    ]);
  });

  it("says of a host that is joined, or has a sidecar of somebody else's, that its traffic goes through one already", () => {
    const note = /^What goes through a sidecar is seen twice: /;
    const [joined = "", , last = ""] = lines(impact({ joined: true, sidecarRuns: true }));
    assert.equal(
      joined,
      "vm2 is joined: its sidecar takes what comes in to port 8080, 9090, and what goes out to 10.96.0.0/16.",
    );
    assert.match(last, note);
    const [adopted = ""] = lines(impact({ sidecarRuns: true, inboundPorts: "*", outboundRanges: "*" }));
    assert.equal(
      adopted,
      "vm2 is not joined, but a sidecar runs there already. Its sidecar would take what comes in to any port but SSH's and its own, and whatever goes out.",
    );
  });

  it("tells the ten addresses with the most connections, and how many there are besides", () => {
    const many = Array.from({ length: 25 }, (_, index) =>
      client(`203.0.113.${index + 1}`, stranger, "plain", { count: index + 1, policy: PERMISSIVE }),
    );
    const rows = lines(impact({ ports: [{ port: "8080", program: "app", clients: many }] })).slice(3);
    assert.equal(rows.length, 11);
    assert.match(
      rows[0]!,
      /^✓ 8080 +app +203\.0\.113\.25 +outside the mesh +25 +as now, in plain text: PERMISSIVE by default$/,
    );
    assert.match(rows[10]!, /^✓ 8080 +app +15 more addresses +outside the mesh +120 +as now/);
  });

  it("says what is not known, and why, and of a host that it could not be looked at", () => {
    around.pods = REFUSED;
    around.serviceCidr = REFUSED;
    const said = lines(impact({ outboundRanges: REFUSED }), { host: "vm3", problem: "it does not answer" });
    assert.deepEqual(said, [
      "vm2 is not joined. Its sidecar would take what comes in to port 8080, 9090, and of what goes out it is not known.",
      "",
      "✗ vm3 can't be looked at: it does not answer",
      "",
      `not known: which clients are pods of the mesh: ${REFUSED.problem}`,
      `not known: what goes out through the sidecar: ${REFUSED.problem}`,
    ]);
  });

  it("ends with 0 whatever is found, with 1 where the cluster did not tell all, with 2 where a host could not be looked at", () => {
    const refused = [client("203.0.113.9", stranger, "refused")];
    const found = impact({ ports: [{ port: "8080", clients: refused }] });
    assert.equal(impactExit([found], around), 0);
    around.nodes = REFUSED;
    assert.equal(impactExit([found], around), 1);
    assert.equal(impactExit([found, { host: "vm3", problem: "it does not answer" }], around), 2);
  });

  describe("in a process of its own", () => {
    let folder: string;
    before(() => {
      folder = fakeTools({ kubectl: "echo 'jo is forbidden to do that' >&2; exit 1" });
    });
    after(() => rmSync(folder, { recursive: true }));
    const run = (...args: string[]) =>
      execa("node", ["--import", "tsx", "cli/main.ts", "impact", ...args], {
        cwd: repository,
        env: { PATH: `${folder}:${process.env.PATH}` },
        reject: false,
      });

    it("asks all hosts that are not gone, and tells of those that it can't look at", async () => {
      const { stdout, exitCode } = await run("--output=json");
      assert.equal(exitCode, 2);
      const { hosts, unknown } = JSON.parse(stdout) as {
        hosts: { host: string; problem: string }[];
        unknown: string[];
      };
      assert.deepEqual(
        hosts.map(({ host }) => host),
        ["vm1"],
      );
      assert.match(hosts[0]!.problem, /host key/);
      assert.ok(unknown.some((words) => /^not known: whom a policy would refuse: .*forbidden/.test(words)));
    });

    it("says so of a host that is gone, and of one that there is not", async () => {
      const gone = await run("vm2");
      assert.equal(gone.exitCode, 2);
      assert.match(gone.stdout, /^✗ vm2 can't be looked at: it is marked as gone$/m);
      const unknown = await run("vm7");
      assert.deepEqual([unknown.exitCode, unknown.stdout], [2, ""]);
      assert.match(unknown.stderr, /there is no host "vm7": use one of vm1, vm2$/m);
    });
  });
});
