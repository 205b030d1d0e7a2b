import assert from "node:assert/strict";
import { inspectCertificate } from "../../../mesh/certificates";
import { ENDED_HEADINGS, HOST_HEADINGS, meshStatus, SERVICE_HEADINGS, statusRows } from "../../../diagnosis/status";
import type { ReadinessProbe } from "../../../mesh/readinessProbe";
import type { RequestResult } from "../../../diagnosis/facts";
import { clusterOf, healthyFacts, hostOf, joinedOf } from "./checks/facts";
import { spiffe } from "./checks/pki";

/** The status of a mesh after `change`, and its rows. */
async function after(
  change: (facts: Awaited<ReturnType<typeof healthyFacts>>) => void,
  sick?: NonNullable<Parameters<typeof meshStatus>[4]>["sick"],
) {
  const facts = await healthyFacts();
  change(facts);
  const { requests } = clusterOf(facts);
  const status = meshStatus({ ...facts, config: facts.config! }, facts.hosts, requests, facts.now, { sick });
  return { ...status, rows: statusRows(status, facts.now) };
}

describe("meshStatus", () => {
  it("tells a line a host and a line a service where all is well", async () => {
    const { hosts, services, rows } = await after(() => undefined);
    assert.deepEqual(
      [...hosts, ...services].map(({ health }) => health),
      ["ok", "ok", "ok"],
    );
    const identity = spiffe("default").replace("spiffe://", "");
    const [first] = rows.hosts;
    assert.equal(first!.length, HOST_HEADINGS.length);
    assert.deepEqual(
      [...first!.slice(0, 4), ...first!.slice(5)],
      [
        ...["vm1", "1.31.0", "yes", identity],
        ...["92 days", "right to the second", "in 80, out *", "yes", "none", "2 d ago", ""],
      ],
    );
    assert.match(first![4]!, / left$/);
    assert.deepEqual(rows.services, [["web.vm", "vm1, vm2", "2 of 2", "HTTP 200 in 7 ms"]]);
    assert.equal(rows.services[0]!.length, SERVICE_HEADINGS.length);
  });

  for (const [what, change, health, says] of [
    ["is not ready", (f) => (joinedOf(f).ready = false), "error", /no/],
    ["lost istiod", (f) => (joinedOf(f).connected = false), "error", /no, since 60 min ago|no, since 1 h ago/],
    ["has a wrong clock", (f) => (hostOf(f).clockOffset = -61), "error", /61\.0 s behind/],
    ["has a clock that is a little off", (f) => (hostOf(f).clockOffset = 6), "warning", /6\.0 s ahead/],
    ["was changed by hand", (f) => (joinedOf(f).drift = ["hosts", "unit"]), "warning", /hosts, unit/],
    ["has a join that was cut off", (f) => (joinedOf(f).unfinished = true), "warning", /cut off/],
    ["is not joined", (f) => (hostOf(f).inspection.joined = undefined), "error", /not joined/],
    ["was joined by another stack", (f) => (joinedOf(f).owner = "other"), "error", /another stack/],
    ["has a certificate that ended", (f) => (f.now = new Date("2026-06-03T00:00:00Z")), "error", /doctor \(IVM408\)/],
    ["can't be renewed any more", (f) => (joinedOf(f).sentChain = joinedOf(f).certChain), "ok", /\|18 hours\|/],
    [
      "was sent what has ended",
      (f) => {
        joinedOf(f).sentChain = joinedOf(f).certChain;
        f.now = new Date("2026-06-03T00:00:00Z");
      },
      "error",
      /its identity has ended: pulumi up gives it a new one/,
    ],
    [
      "has an identity by a token that ended",
      (f) => {
        f.now = new Date("2099-01-01T00:00:00Z");
        f.config!.hosts[0]!.identity = "token";
      },
      "error",
      /its identity has ended: pulumi up gives it a new one/,
    ],
    [
      "has a certificate that was not renewed in time",
      (f) => {
        const { notBefore, notAfter } = inspectCertificate(joinedOf(f).certChain!);
        f.now = new Date(notAfter.getTime() - (notAfter.getTime() - notBefore.getTime()) / 4);
      },
      "warning",
      /ends soon and is not renewed/,
    ],
    [
      "can't be asked",
      (f) => (f.hosts[0] = { name: "vm1", failure: { kind: "login", message: "it does not answer" } }),
      "error",
      /it does not answer/,
    ],
    [
      "is gone",
      (f) => (f.hosts[0] = { name: "vm1", failure: { kind: "gone", message: "it is marked as gone" } }),
      "warning",
      /gone/,
    ],
  ] as [string, (facts: Awaited<ReturnType<typeof healthyFacts>>) => unknown, string, RegExp][]) {
    it(`tells of a host that ${what}`, async () => {
      const { hosts, rows } = await after(change);
      assert.equal(hosts[0]!.health, health);
      assert.match(rows.hosts[0]!.join("|"), says);
    });
  }

  it("tells of a host that can't serve, of which its services know", async () => {
    const { hosts, services } = await after(() => undefined, new Map([["vm1", "connection refused"]]));
    assert.deepEqual([hosts[0]!.health, hosts[0]!.problem], ["error", "its readinessProbe fails: connection refused"]);
    assert.deepEqual([services[0]!.healthy, services[0]!.health], [1, "warning"]);
    const probe = { tcpSocket: { port: 80 } } as ReadinessProbe;
    const unknown = await after((f) => (f.config!.hosts[0]!.readinessProbe = probe), { problem: "it is forbidden" });
    assert.deepEqual(
      [unknown.hosts[0]!.health, unknown.services[0]!.health, unknown.hosts[0]!.problem],
      ["warning", "ok", "whether it can serve could not be read: it is forbidden"],
    );
  });

  it("tells of a host that is drained, and does not count it", async () => {
    const { hosts, services } = await after((f) => (f.config!.hosts[0]!.drain = true));
    assert.deepEqual([hosts[0]!.health, hosts[0]!.problem], ["ok", "drained: its services send it nothing"]);
    assert.deepEqual([services[0]!.endpoints, services[0]!.healthy, services[0]!.health], [["vm2"], 1, "ok"]);
  });

  it("tells of identities that have ended, or why they are not known", async () => {
    const { facts } = { facts: await healthyFacts() };
    const rowsOf = (ended: NonNullable<Parameters<typeof meshStatus>[4]>["ended"]) =>
      statusRows(meshStatus({ ...facts, config: facts.config! }, [], undefined, facts.now, { ended }), facts.now).ended;
    assert.deepEqual(rowsOf([]), []);
    const since = new Date(facts.now.getTime() - 3 * 86_400_000);
    const [row] = rowsOf([{ host: "vm9", identity: spiffe("vm9"), since }]);
    assert.deepEqual(row!.slice(0, 3), ["vm9", spiffe("vm9").replace("spiffe://", ""), "3 d ago"]);
    assert.match(row![3]!, /until the root is replaced/);
    assert.equal(row!.length, ENDED_HEADINGS.length);
    assert.match(rowsOf({ problem: "it is forbidden" })[0]!.join(" "), /could not be read: it is forbidden/);
  });

  it("tells of a service that lost some of its hosts, all of them, or its answer", async () => {
    const healthOf = async (change: Parameters<typeof after>[0]) => (await after(change)).services[0]!;
    const one = await healthOf((f) => (joinedOf(f).ready = false));
    assert.deepEqual([one.healthy, one.health], [1, "warning"]);
    const none = await healthOf((f) => ["vm1", "vm2"].forEach((name) => (joinedOf(f, name).ready = false)));
    assert.deepEqual([none.healthy, none.health], [0, "error"]);
    const answering = (answer: RequestResult) =>
      healthOf((f) => (clusterOf(f).requests = { "web.vm": answer })).then(({ health }) => health);
    assert.equal(await answering({ ok: false, answer: "HTTP 503" }), "error");
    assert.equal(await answering({ ok: false, untried: true, answer: "not asked: you may not exec" }), "warning");
  });
});
