import assert from "node:assert/strict";
import { type Authority, ConfigError, parseConfig } from "../../../config";
import { authority } from "../support";

const minimal = {
  controlPlane: { install: { version: "1.31.0" } },
  exposure: { type: "NodePort", nodeAddresses: ["192.0.2.1"] },
  sidecar: { url: "https://example.org/istio-sidecar.deb", sha256: "a".repeat(64) },
};
type Made = Extract<Authority, { root: number }>;

/** The authority of a configuration that says this of it. */
function parse(ca: object | undefined, secrets: Record<string, string> = {}): Authority {
  const fields = Object.entries({ ...minimal, ca }).filter(([, value]) => value !== undefined);
  const values = { ...Object.fromEntries(fields.map(([key, value]) => [key, JSON.stringify(value)])), ...secrets };
  return parseConfig({ values, isSecret: (key) => key in secrets }).ca!;
}

/** What it is refused for, a line each. */
function refusal(ca: object): string[] {
  try {
    parse(ca);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.message
      .split("\n")
      .slice(1)
      .map((line) => line.trim());
  }
  throw new assert.AssertionError({ message: `accepted ${JSON.stringify(ca)}` });
}

describe("the configuration of another CA", () => {
  it("has the first one for its default; another would take its place to the end, and wait for everybody", () => {
    for (const ca of [undefined, {}, { rotation: {} }]) {
      const { root, intermediate, earlyRenewalHours, rotation } = parse(ca) as Made;
      assert.deepEqual([root, intermediate, earlyRenewalHours], [1, 1, 4380]);
      assert.deepEqual(rotation, { until: "retire", absent: "wait" });
    }
  });

  it("takes every alternative, each by itself", () => {
    for (const until of ["prepare", "activate", "retire"])
      assert.deepEqual(parse({ rotation: { until } }).rotation, { until, absent: "wait" });
    for (const absent of ["wait", "leave"])
      assert.deepEqual(parse({ rotation: { absent } }).rotation, { until: "retire", absent });
    const numbers = { root: 9999, intermediate: 2, earlyRenewalHours: 1 };
    const { root, intermediate, earlyRenewalHours } = parse(numbers) as Made;
    assert.deepEqual({ root, intermediate, earlyRenewalHours }, numbers);
  });

  it("is the same for an authority of the user's own, which has no number", async () => {
    const { certificate: pem, key } = await authority();
    const provided = { rootCert: pem, caCert: pem, certChain: pem, caKey: { secret: "caKey" } };
    const of = (more: object) => parse({ provided, ...more }, { caKey: key });
    assert.deepEqual(of({}).rotation, { until: "retire", absent: "wait" });
    assert.deepEqual(of({ rotation: { until: "prepare" } }).rotation, { until: "prepare", absent: "wait" });
    for (const more of [{ root: 2 }, { intermediate: 2 }, { earlyRenewalHours: 1 }])
      assert.throws(() => of(more), ConfigError, JSON.stringify(more));
  });

  const WHOLE = "a whole number, 1 or more";
  const steps = "one of prepare, activate, retire";
  for (const [ca, expected] of [
    [{ root: 0 }, `ca.root: 0 is not allowed; expected ${WHOLE}`],
    [{ root: 1.5 }, `ca.root: 1.5 is not allowed; expected ${WHOLE}`],
    [{ root: "2" }, `ca.root: "2" is not allowed; expected ${WHOLE}`],
    [{ root: 10000 }, "ca.root: 10000 is not allowed; expected a whole number, 9999 at most"],
    [{ intermediate: -1 }, `ca.intermediate: -1 is not allowed; expected ${WHOLE}`],
    [{ intermediate: null }, `ca.intermediate: null is not allowed; expected ${WHOLE}`],
    [{ earlyRenewalHours: 0 }, "ca.earlyRenewalHours: 0 is not allowed; expected"],
    [{ rotation: { until: "x" } }, `ca.rotation.until: "x" is not allowed; expected ${steps}`],
    [{ rotation: { absent: "ignore" } }, 'ca.rotation.absent: "ignore" is not allowed; expected wait or leave'],
    [{ rotation: { step: "prepare" } }, "ca.rotation.step"],
    [{ rotation: "retire" }, 'ca.rotation: "retire" is not allowed'],
  ] as [object, string][]) {
    it(`refuses ${JSON.stringify(ca)}, in one line`, () => {
      const lines = refusal(ca);
      assert.equal(lines.length, 1, lines.join("\n"));
      assert.ok(lines[0]!.startsWith(expected), lines[0]);
    });
  }
});
