import assert from "node:assert/strict";
import { type AuthorityFacts, type Ending, forecast, type Forecast } from "../../../diagnosis/forecast";
import { FORECAST_HEADINGS, forecastRows } from "../../../diagnosis/forecastRows";
import type { Facts, Unavailable } from "../../../diagnosis/facts";
import { clusterOf, existingFacts, healthyFacts, hostOf, joinedOf } from "./checks/facts";
import { type Issued, issue, ofHost, pki, type Wanted } from "./checks/pki";

const DAY = 86_400_000;

/** What ends within so many days of noon of 2026-06-01. The mesh's CA ends in 2027, what hosts were sent on 2026-09-01. */
async function within(
  days: number,
  change: (facts: Facts) => unknown = () => undefined,
  facts: Facts | Promise<Facts> = healthyFacts(),
  authority?: AuthorityFacts | Unavailable,
): Promise<Forecast> {
  const all = await facts;
  await change(all);
  const { now, config } = all;
  const known = authority ?? clusterOf(all).cacerts ?? { problem: "it is forbidden" };
  return forecast({ ...all, config: config! }, all.hosts, known, now, new Date(now.getTime() + days * DAY));
}

const of = ({ endings }: Forecast, kind: Ending["kind"]) => endings.filter((ending) => ending.kind === kind);
/** One ending, in short. */
const only = (found: Forecast, kind: Ending["kind"]) => {
  const [one, ...others] = of(found, kind);
  assert.ok(one !== undefined && others.length === 0, `${kind}: ${1 + others.length}`);
  const { health, ends, renewal, missedBy } = one;
  const missed = missedBy.map(({ host, why }) => `${host} ${why}`);
  return { health, ends: ends?.toISOString().slice(0, 10), renewal, missed };
};
const textOf = (found: Forecast) => {
  const { rows, notes } = forecastRows(found);
  return [...rows.map(({ cells }) => cells.join(" | ")), ...notes];
};

const silent = (facts: Facts, name = "vm1", message = "192.0.2.21:22 does not answer within 10 s") =>
  (facts.hosts = facts.hosts.map((host) =>
    host.name === name ? { name, failure: { kind: "login", message } } : host,
  ));
const byToken = (facts: Facts, name = "vm1") =>
  (facts.config!.hosts.find((host) => host.name === name)!.identity = "token");
const renews = (facts: Facts, earlyRenewalHours = 4380) => Object.assign(facts.config!.ca!, { earlyRenewalHours });
/** A CA that nobody renews but who has given it. */
const given = (facts: Facts) =>
  (facts.config!.ca = {
    provided: { ...clusterOf(facts).cacerts!, caKey: { secret: "caKey" } },
    rotation: { until: "retire", absent: "wait" },
  });
/** Another root of the same key and name, as a renewed one is. */
const renewedRoot = async (changes: Wanted) => {
  const { root } = await pki;
  return issue({ subject: root.subject, issuer: root, ca: true, keys: root.keys, ...changes });
};
const LATER = { from: "2026-05-01T00:00:00Z", to: "2036-05-01T00:00:00Z" };

describe("forecast", () => {
  it("says what ends first where nothing ends so soon, and what agents renew each day", async () => {
    const found = await within(90, renews);
    assert.deepEqual(textOf(found), [
      "nothing ends before 2026-08-30; the next is vm1: what it was sent: 2026-09-01, in 92 days, renewed by the next pulumi up",
      "certificates of a day, which agents renew: vm1, vm2",
    ]);
    assert.deepEqual([found.endings.length, found.unread], [2, []]);
    assert.equal((await within(0.5, renews)).next?.kind, "sent", "not what ends in 18 hours");
  });

  it("tells a row for hosts of which the same ends on a day, and when an update renews it", async () => {
    const found = await within(300, (facts) => {
      renews(facts, 24 * 30);
      facts.config!.workloadCertificate.earlyRenewalHours = 48;
    });
    const { rows } = forecastRows(found);
    assert.deepEqual(
      rows.map(({ health, cells }) => [health, ...cells]),
      [
        ["ok", "2026-09-01, in 92 days", "vm1, vm2: what they were sent", "pulumi up from 2026-08-30 on", ""],
        ["ok", "2027-01-01, in 214 days", 'root "CN=Root CA"', "pulumi up from 2026-12-02 on", ""],
        ["ok", "2027-01-01, in 214 days", 'intermediate "CN=Intermediate"', "pulumi up from 2026-12-02 on", ""],
      ],
    );
    assert.equal(rows[0]!.cells.length, FORECAST_HEADINGS.length);
  });

  it("marks a row by the worst of its hosts, and names at most five", async () => {
    const found = await within(100, renews);
    const [sent] = of(found, "sent") as [Ending];
    const bad = { ...found, endings: [sent, { ...sent, of: "vm3", health: "error" as const }] };
    assert.deepEqual(
      forecastRows(bad).rows.map(({ health }) => health),
      ["error"],
      "as bad as the worst of them",
    );
    const many = { ...found, endings: [..."abcdefg"].map((name): Ending => ({ ...sent, of: name })) };
    assert.match(textOf(many)[0]!, /\| a, b, c, d, e and 2 more: what they were sent \|/);
  });

  describe("of what a host was sent", () => {
    it("one that can't be asked misses it, by the date that the stack tells", async () => {
      const found = await within(100, (facts) => {
        silent(facts);
        facts.outputs!.meshHosts.vm1!.returnsUntil = "2026-07-01T00:00:00Z";
      });
      const [vm1, vm2] = of(found, "sent");
      assert.deepEqual([vm1!.of, vm1!.health, vm1!.ends], ["vm1", "warning", new Date("2026-07-01T00:00:00Z")]);
      assert.deepEqual(vm1!.missedBy, [{ host: "vm1", why: "can't be asked" }]);
      assert.deepEqual([vm2!.of, vm2!.health, vm2!.missedBy], ["vm2", "ok", []]);
      assert.deepEqual(found.unread, [
        { what: "vm1", problem: "it could not be asked: 192.0.2.21:22 does not answer within 10 s" },
      ]);
      assert.equal(of(found, "day").length, 1);
    });

    it("is an error once it has ended", async () => {
      const ended = await within(0, (facts) => (facts.now = new Date("2026-09-02T12:00:00Z")));
      assert.deepEqual(
        of(ended, "sent").map(({ health }) => health),
        ["error", "error"],
      );
      assert.match(
        textOf(ended).join("\n"),
        /^2026-09-01, 24 hours ago \| vm1, vm2: what they were sent \| the next pulumi up/m,
      );
    });
  });

  describe("of the certificate of a day", () => {
    it("an agent that does not reach istiod can't renew it", async () => {
      const found = await within(0.5, (facts) => (joinedOf(facts).connected = false));
      assert.deepEqual(found.endings, [], "it ends in 18 hours");
      const day = of(await within(1, (facts) => (joinedOf(facts).connected = false)), "day");
      assert.deepEqual(
        day.map(({ of, health, renewal, missedBy }) => [of, health, renewal, missedBy]),
        [
          ["vm1", "warning", { by: "agent" }, [{ host: "vm1", why: "does not reach istiod" }]],
          ["vm2", "ok", { by: "agent" }, []],
        ],
      );
    });

    it("an agent that should have renewed it did not", async () => {
      const found = await within(1, (facts) => (facts.now = new Date("2026-06-02T00:00:00Z")));
      assert.deepEqual(of(found, "day")[0]!.missedBy, [{ host: "vm1", why: "its agent did not renew it in time" }]);
      const ended = await within(1, (facts) => (facts.now = new Date("2026-06-02T12:00:00Z")));
      assert.equal(of(ended, "day")[0]!.health, "error");
    });

    it("a host by a token has nothing else", async () => {
      const well = await within(1, byToken);
      assert.equal(
        textOf(well).at(-1),
        "certificates of a day, which agents renew: vm1, vm2; off for longer, only pulumi up brings back vm1",
      );
      assert.deepEqual(
        of(await within(900, byToken), "sent").map((ending) => ending.of),
        ["vm2"],
      );

      const off = await within(1, (facts) => [byToken(facts), silent(facts)]);
      assert.deepEqual(only(off, "token"), {
        health: "warning",
        ends: undefined,
        renewal: { by: "agent" },
        missed: ["vm1 can't be asked"],
      });
      assert.equal(
        textOf(off)[0],
        "within a day | vm1: its certificate by a token | the agent; after the end the next pulumi up | vm1: can't be asked",
      );

      const ended = await within(1, (facts) => [byToken(facts), (facts.now = new Date("2026-06-03T00:00:00Z"))]);
      const { health, renewal } = only(ended, "token");
      assert.deepEqual([health, renewal.by], ["error", "pulumi up"]);
    });
  });

  describe("of the CA's certificates", () => {
    it("a host that can't be asked misses the next ones; one by a token gets the intermediate from istiod", async () => {
      const missed = async (change: (facts: Facts) => unknown) => {
        const found = await within(300, (facts) => [renews(facts), silent(facts), change(facts)]);
        return (["root", "intermediate"] as const).map((kind) => only(found, kind).missed);
      };
      const vm1 = ["vm1 can't be asked"];
      assert.deepEqual(await missed(() => undefined), [vm1, vm1]);
      assert.deepEqual(await missed(byToken), [vm1, []]);
    });

    it("nobody renews what is provided, or what others own: so everybody misses it", async () => {
      const all = ["vm1 has no other", "vm2 has no other"];
      const instead = async (facts: Facts, authority?: AuthorityFacts) => {
        const found = await within(300, undefined, facts, authority);
        const [root, intermediate] = [only(found, "root"), only(found, "intermediate")];
        assert.deepEqual([root.health, root.missed, intermediate.missed], ["warning", all, all]);
        assert.deepEqual(root.renewal, intermediate.renewal);
        return root.renewal.by === "nobody" ? root.renewal.instead : root.renewal.by;
      };
      const provided = await healthyFacts();
      given(provided);
      assert.match(await instead(provided), /give ca\.provided another one/);
      const existing = await existingFacts();
      const { existing: mesh } = clusterOf(existing);
      assert.ok(mesh !== undefined && "rootCerts" in mesh);
      assert.match(await instead(existing, { rootCert: mesh.rootCerts }), /whoever owns the mesh/);
    });

    it("that have ended are errors, be they renewed by the next update", async () => {
      const found = await within(0, (facts) => [renews(facts), (facts.now = new Date("2027-01-02T00:00:00Z"))]);
      assert.equal(only(found, "root").health, "error");
      assert.equal(only(found, "intermediate").health, "error");
    });

    describe("a root that has the next one already", () => {
      const successor = { by: "successor", until: new Date(LATER.to) };
      let next: Issued;
      before(async () => {
        next = await renewedRoot(LATER);
      });
      const renewed = (facts: Facts) => {
        const { cacerts } = clusterOf(facts);
        const { rootCert, certChain } = cacerts!;
        Object.assign(cacerts!, { rootCert: next.pem, certChain: certChain.replace(rootCert, next.pem) });
      };

      it("is missed by the hosts that have the old one alone", async () => {
        const found = await within(300, (facts) => [renewed(facts), (joinedOf(facts, "vm2").rootCert += next.pem)]);
        assert.deepEqual(only(found, "root"), {
          health: "warning",
          ends: "2027-01-01",
          renewal: successor,
          missed: ["vm1 has no other"],
        });
        assert.match(
          textOf(found).join("\n"),
          /the next one, until 2036-05-01: pulumi up brings it \| vm1: has no other$/m,
        );
      });

      it("is no error once it has ended, where every host has the next", async () => {
        const late = (facts: Facts) => (facts.now = new Date("2027-01-02T00:00:00Z"));
        const both = (facts: Facts) => ["vm1", "vm2"].forEach((name) => (joinedOf(facts, name).rootCert += next.pem));
        assert.deepEqual(of(await within(0, (facts) => [renewed(facts), both(facts), late(facts)]), "root"), []);
        assert.equal(only(await within(0, (facts) => [renewed(facts), late(facts)]), "root").health, "error");
      });

      it("is not one of another key, which has signed nothing of this CA", async () => {
        const stranger = await issue({ subject: "CN=Stranger", ca: true, ...LATER });
        const found = await within(300, (facts) => {
          given(facts);
          clusterOf(facts).cacerts!.rootCert += stranger.pem;
          for (const name of ["vm1", "vm2"]) joinedOf(facts, name).rootCert += stranger.pem;
        });
        const { renewal, missed } = only(found, "root");
        assert.deepEqual([renewal.by, missed], ["nobody", ["vm1 has no other", "vm2 has no other"]]);
        assert.equal(
          of(
            await within(9000, undefined, undefined, {
              ...clusterOf(await healthyFacts()).cacerts!,
              rootCert: stranger.pem,
            }),
            "root",
          ).length,
          1,
          "it is not in use",
        );
      });
    });

    it("an intermediate that has the next one is missed by what hosts were sent", async () => {
      const { root, intermediate } = await pki;
      const next = await issue({ subject: intermediate.subject, issuer: root, ca: true, ...LATER });
      const sent = await ofHost(next, { to: "2026-09-01T12:00:00Z" });
      const found = await within(300, (facts) => {
        Object.assign(clusterOf(facts).cacerts!, { caCert: next.pem, certChain: next.pem + root.pem });
        joinedOf(facts, "vm2").sentChain = sent.pem + next.pem;
      });
      const { health, renewal, missed } = only(found, "intermediate");
      assert.deepEqual(
        [health, renewal, missed],
        ["warning", { by: "successor", until: new Date(LATER.to) }, ["vm1 has no other"]],
      );
    });

    it("an intermediate is none for another that stands below it", async () => {
      const { root } = await pki;
      const policy = await issue({ subject: "CN=Policy", issuer: root, ca: true, to: "2030-01-01T00:00:00Z" });
      const issuing = await issue({ subject: "CN=Issuing", issuer: policy, ca: true });
      const found = await within(300, (facts) => {
        given(facts);
        Object.assign(clusterOf(facts).cacerts!, {
          caCert: issuing.pem,
          certChain: issuing.pem + policy.pem + root.pem,
        });
      });
      const one = of(found, "intermediate").find((ending) => ending.of === "CN=Issuing");
      assert.equal(one?.renewal.by, "nobody");
    });

    it("the intermediate of an existing mesh is told by what istiod gave to hosts", async () => {
      const facts = await existingFacts();
      const rootCert = clusterOf(facts).rootCerts[0]!.pem;
      const found = await within(300, () => ["vm1", "vm2"].forEach((name) => byToken(facts, name)), facts, {
        rootCert,
      });
      assert.deepEqual(only(found, "intermediate").missed, [], "agents get it anew");
      assert.equal(only(found, "intermediate").renewal.by, "nobody");
    });

    it("what only hosts have is replaced by the next update", async () => {
      const { root } = await pki;
      const other = await issue({ subject: "CN=Former", issuer: root, ca: true });
      const sent = await ofHost(other, { to: "2026-09-01T12:00:00Z" });
      const found = await within(300, (facts) => [
        given(facts),
        (joinedOf(facts, "vm2").sentChain = sent.pem + other.pem),
      ]);
      const former = of(found, "intermediate").find((ending) => ending.of === "CN=Former");
      assert.deepEqual([former?.health, former?.renewal.by, former?.missedBy], ["ok", "pulumi up", []]);
      const own = of(found, "intermediate").find((ending) => ending.of === "CN=Intermediate");
      assert.deepEqual(own?.missedBy, [{ host: "vm1", why: "has no other" }], "vm2 has no part in it");
    });
  });

  it("tells what could not be read", async () => {
    const found = await within(
      90,
      (facts) => {
        joinedOf(facts).sentChain = undefined;
        joinedOf(facts, "vm2").certChain = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
      },
      undefined,
      { problem: "it is forbidden" },
    );
    const rows = textOf(found);
    assert.deepEqual(
      rows.filter((row) => row.startsWith("?")),
      [
        "? | the mesh's CA | it is forbidden | ",
        "? | vm1: what it was sent | it is not there | ",
        "? | vm2: its certificate | it is no certificate | ",
      ],
    );
    assert.match(rows.join("\n"), /^nothing that could be read ends before 2026-08-30/m);
    const chain = { rootCert: "x", caCert: "", certChain: "x" };
    assert.deepEqual((await within(90, undefined, undefined, chain)).unread, [
      { what: "the mesh's roots", problem: "it is no certificate" },
      { what: "ca-cert.pem of the CA", problem: "it is not there" },
      { what: "cert-chain.pem of the CA", problem: "it is no certificate" },
    ]);
  });

  it("leaves out hosts that are gone, not joined, joined by another stack, or never were", async () => {
    const hosts = async (change: (facts: Facts) => unknown) => {
      const found = await within(300, (facts) => [renews(facts), change(facts)]);
      return [
        ...new Set(
          found.endings.flatMap(({ kind, of, missedBy }) => [
            ...(kind === "sent" || kind === "day" ? [of] : []),
            ...missedBy.map(({ host }) => host),
          ]),
        ),
      ];
    };
    assert.deepEqual(await hosts(() => undefined), ["vm1", "vm2"]);
    const gone = { name: "vm1", failure: { kind: "gone" as const, message: "it is marked as gone" } };
    for (const change of [
      (facts: Facts) => (facts.hosts[0] = gone),
      (facts: Facts) => (hostOf(facts).inspection.joined = undefined),
      (facts: Facts) => (joinedOf(facts).owner = "other"),
      (facts: Facts) => [silent(facts), delete facts.outputs!.meshHosts.vm1],
    ])
      assert.deepEqual(await hosts(change), ["vm2"]);
  });
});
