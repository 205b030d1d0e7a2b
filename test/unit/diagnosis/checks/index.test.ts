import assert from "node:assert/strict";
import type { Result } from "../../../../diagnosis/checks/check";
import type { Facts, HostFailure } from "../../../../diagnosis/facts";
import { CHECKS, evaluate } from "../../../../diagnosis/checks";
import { hostScripts } from "../../../../ssh/bundle";
import { isBad, problems } from "./cases";
import { clusterOf, existingFacts, freshFacts, healthyFacts, inspectionOf } from "./facts";

const ALL = Object.values(CHECKS).flat();
const codes = ALL.map(({ code }) => code);

const codesOf = (facts: Facts, result: Result) => [
  ...new Set(
    evaluate(facts)
      .filter((finding) => finding.result === result)
      .map(({ code }) => code),
  ),
];

const range = (first: number, last: number) => codes.filter((code) => code >= `IVM${first}` && code <= `IVM${last}`);
const without = (all: string[], ...some: string[]) => all.filter((code) => !some.includes(code));

/** The checks that have a verdict of hosts that answered. */
const OF_HOSTS = [...range(503, 506), ...range(603, 606), "IVM609", ...range(701, 747)];

function assertReasons(facts: Facts): void {
  for (const { code, result, message } of evaluate(facts)) {
    if (result === "skipped") assert.match(message, /\w+ \w+/, code);
  }
}

describe("evaluate", () => {
  it("finds nothing wrong with a mesh in which all is well", async () => {
    const facts = await healthyFacts();
    assert.deepEqual(problems(facts), []);
    assert.deepEqual(codesOf(facts, "skipped"), ["IVM205", "IVM313", "IVM317", "IVM406", ...range(745, 747)]);
    assertReasons(facts);
  });

  it("finds nothing wrong with a mesh that was there already, and asks for nothing that only an installation needs", async () => {
    const facts = await existingFacts();
    assert.deepEqual(problems(facts), []);
    assert.deepEqual(codesOf(facts, "skipped"), [
      ...["IVM102", "IVM103", "IVM205", "IVM206", "IVM302", "IVM304", "IVM313", "IVM314", "IVM316"],
      ...["IVM401", "IVM402", "IVM403", "IVM404", "IVM406", "IVM412", "IVM413"],
      ...range(745, 747),
    ]);
    assertReasons(facts);
  });

  it("finds nothing wrong before the first update", async () => {
    const facts = await freshFacts();
    assert.deepEqual(problems(facts), []);
    assert.deepEqual(codesOf(facts, "skipped"), [
      ...["IVM205", "IVM314", "IVM315", "IVM317"],
      ...range(402, 413),
      ...["IVM504", "IVM505", "IVM603", "IVM604", "IVM605", "IVM607"],
      ...range(720, 724),
    ]);
    assertReasons(facts);
  });

  it("finds nothing wrong after a first update that was cut off: what is there is this stack's", async () => {
    const facts = await healthyFacts();
    facts.outputs = undefined;
    clusterOf(facts).requests = undefined;
    assert.deepEqual(problems(facts), []);
  });

  it("finds nothing wrong without hosts", async () => {
    const facts = await healthyFacts();
    Object.assign(facts.config!, { hosts: [], services: [] });
    facts.hosts = [];
    assert.deepEqual(problems(facts), []);
    assert.deepEqual(without(OF_HOSTS, ...codesOf(facts, "skipped")), []);
    assertReasons(facts);
  });

  it("says each finding with its check's title, and with a fix only where something is to be mended", async () => {
    const facts = await healthyFacts();
    facts.tools.istioctl = "1.30.0";
    inspectionOf(facts).findings.push({ code: "IVM712", message: "/usr has 1 MB free" });
    const bad = problems(facts);
    assert.deepEqual(
      bad.map(({ code, group, title, fix, subject }) => [code, group, title, fix, subject]),
      [
        [
          "IVM103",
          "tools",
          "istioctl is of the version that is installed",
          "put istioctl 1.31.0 on the PATH, or change controlPlane.install.version",
          undefined,
        ],
        ["IVM712", "hosts", "there is room on its disk", "make room: df -h /usr /var /etc", "vm1"],
      ],
    );
    for (const finding of evaluate(facts)) assert.equal(finding.fix !== undefined, isBad(finding), finding.code);
  });

  it("judges the rest when a check fails", async () => {
    const facts = await healthyFacts();
    clusterOf(facts).istiodServices = undefined as never;
    const found = problems(facts);
    assert.deepEqual(
      found.map(({ code }) => code),
      ["IVM315"],
    );
    assert.match(found[0]!.message, /^it can't be judged: /);
  });
});

describe("what can't be asked is skipped, with the reason", () => {
  it("a cluster that does not answer: one error", async () => {
    const facts = await healthyFacts();
    facts.cluster = { problem: "connection refused" };
    assert.deepEqual(codesOf(facts, "error"), ["IVM301"]);
    assert.deepEqual(codesOf(facts, "warning"), []);
    assert.deepEqual(
      codesOf(facts, "skipped"),
      [
        ...[...range(302, 317), ...range(401, 406), ...range(745, 747)],
        ...["IVM412", "IVM105", "IVM205", "IVM501", "IVM502", "IVM607"],
      ].sort(),
    );
    assertReasons(facts);
  });

  const withoutConfig = async (change: Partial<Facts>) => {
    const problem = "there is no configuration";
    const facts: Facts = { ...(await healthyFacts()), config: undefined, hosts: [], cluster: { problem }, ...change };
    assertReasons(facts);
    return facts;
  };
  const TOOLS = ["IVM101", "IVM102", "IVM104", "IVM106"];

  it("a configuration that is not valid: nothing but its problems, and the tools", async () => {
    const facts = await withoutConfig({ configProblems: ["controlPlane: missing"] });
    assert.deepEqual(codesOf(facts, "error"), ["IVM201"]);
    assert.deepEqual(codesOf(facts, "ok"), [...TOOLS, "IVM107"]);
    const reasons = evaluate(facts).filter(({ result }) => result === "skipped");
    assert.deepEqual([...new Set(reasons.map(({ message }) => message))], ["the configuration is not valid"]);
  });

  it("a stack that can't be read: nothing but that, and the tools", async () => {
    const facts = await withoutConfig({ stackProblem: "no stack named dev" });
    assert.deepEqual(codesOf(facts, "error"), ["IVM107"]);
    assert.deepEqual(codesOf(facts, "ok"), TOOLS);
    const reasons = evaluate(facts).filter(({ result }) => result === "skipped");
    assert.deepEqual([...new Set(reasons.map(({ message }) => message))], ["the stack can't be read"]);
  });

  const FAILURES: [HostFailure["kind"], error: string[], ok: string[], skipped: string[]][] = [
    ["login", ["IVM601"], [], ["IVM602", "IVM608", "IVM610"]],
    ["hostKey", ["IVM608"], [], ["IVM601", "IVM602", "IVM610"]],
    ["sudo", ["IVM602"], ["IVM601", "IVM608"], ["IVM610"]],
    ["script", ["IVM610"], ["IVM601", "IVM602", "IVM608"], []],
    ["gone", [], [], ["IVM601", "IVM602", "IVM608", "IVM610"]],
  ];
  for (const [kind, wrong, fine, unknown] of FAILURES) {
    it(`a host whose failure is of kind ${kind}: ${wrong.join() || "no error"}`, async () => {
      const facts = await healthyFacts();
      facts.hosts[0] = { name: "vm1", failure: { kind, message: "what happened" } };
      const ofHost = evaluate(facts).filter(({ subject }) => subject === "vm1");
      const those = (result: Result) => ofHost.filter((one) => one.result === result).map(({ code }) => code);
      assert.deepEqual(those("error"), wrong);
      assert.deepEqual(those("ok"), fine);
      assert.deepEqual(those("warning"), []);
      assert.deepEqual(those("skipped").sort(), [...range(407, 411), ...OF_HOSTS, ...unknown].sort());
      assert.deepEqual(
        problems(facts).map(({ code }) => code),
        wrong,
      );
      assertReasons(facts);
    });
  }
});

describe("the table of checks", () => {
  it("has each code once, in order, in the hundred of its group", () => {
    assert.deepEqual(codes, [...new Set(codes)].sort());
    const hundreds = Object.values(CHECKS).map((checks) => [...new Set(checks.map(({ code }) => code.slice(0, 4)))]);
    assert.deepEqual(
      hundreds,
      [1, 2, 3, 4, 5, 6, 7].map((hundred) => [`IVM${hundred}`]),
    );
    for (const code of codes) assert.match(code, /^IVM\d{3}$/);
  });

  it("says each thing as a person would", () => {
    for (const { code, title, why, fix } of ALL) {
      assert.match(title, /[^.]$/, `${code}: a title is a clause`);
      assert.match(why, /[.]$/, `${code}: why is a sentence`);
      assert.match(fix, /[^.]$/, `${code}: a fix has no full stop, for a command has none`);
      for (const words of [title, why, fix]) assert.doesNotMatch(words, /\s\s|undefined|\n/, code);
    }
  });

  it("has every code that a host's own checks use, and no other is left to the host", async () => {
    const script = Object.values(hostScripts()).join("\n");
    const used = [...script.matchAll(/^[^#\n]*\bfinding ([A-Z]\S+)/gm)].map(([, code = ""]) => code);
    assert.deepEqual(without(used, ...codes), []);

    const facts = await healthyFacts();
    inspectionOf(facts).findings = codes.map((code) => ({ code, message: "it is so" }));
    // What join judges at the host, and doctor from here: dates, for it knows the clock; istiod, for it has a TLS client.
    const judgedHere = ["IVM503", "IVM504", "IVM505", "IVM605"];
    assert.deepEqual(
      problems(facts).map(({ code }) => code),
      without([...new Set(used)].sort(), ...judgedHere),
    );
  });
});
