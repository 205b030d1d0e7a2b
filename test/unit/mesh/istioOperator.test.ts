import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { exposureOf } from "../../../mesh/exposure";
import { type JsonObject, merge, renderIstioOperator } from "../../../mesh/istioOperator";

/** JSON values with few names, so that two of them meet in many places; lists of named objects among them. */
const { json } = fc.letrec<{ json: unknown; object: JsonObject }>((tie) => {
  const key = fc.constantFrom("a", "b", "c", "toString", "constructor");
  const leaf = fc.oneof(fc.integer({ max: 3 }), fc.constantFrom("x", "y", null, true));
  const entry = fc.record({ name: fc.constantFrom("n", "m", "o"), a: tie("json") }, { noNullPrototype: true });
  const named = fc.uniqueArray(entry, { selector: ({ name }) => name, maxLength: 3 });
  return {
    object: fc.dictionary(key, tie("json"), { maxKeys: 4, noNullPrototype: true }),
    json: fc.oneof({ maxDepth: 4 }, leaf, fc.array(leaf, { maxLength: 2 }), named, tie("object")),
  };
});

const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const names = (value: unknown) =>
  Array.isArray(value) && value.length > 0 && value.every(isObject) ? value.map(({ name }) => name) : undefined;

/** Whether `merged` says everything that the user's `over` says. */
function says(merged: unknown, over: unknown): boolean {
  if (isObject(over)) {
    return isObject(merged) && Object.entries(over).every(([key, value]) => says(merged[key], value));
  }
  if (names(over) && names(merged)) {
    const entries = merged as JsonObject[];
    return (over as JsonObject[]).every((entry) =>
      entries.some(({ name, ...rest }) => name === entry.name && says({ name, ...rest }, entry)),
    );
  }
  return isDeepStrictEqual(merged, over);
}

describe("merge", () => {
  it("merges objects, and lists by name; else the second wins", () => {
    const base = { a: 1, b: { c: [1, 2], d: 2 }, l: [{ name: "x", v: 1 }, { name: "y" }] };
    const over = { b: { c: [3], e: null }, l: [{ name: "z" }, { name: "x", w: 2 }] };
    assert.deepEqual(merge(base, over), {
      a: 1,
      b: { c: [3], d: 2, e: null },
      l: [{ name: "x", v: 1, w: 2 }, { name: "y" }, { name: "z" }],
    });
    assert.deepEqual(merge({ l: [{ name: "x" }] }, { l: [] }), { l: [] });
    assert.deepEqual(merge({ l: [{ name: "x" }] }, { l: [{ port: 1 }] }), { l: [{ port: 1 }] });
    assert.deepEqual(merge({ a: { b: 1 } }, { a: [1] }), { a: [1] });
  });

  it("is the identity with nothing on either side, and with itself", () => {
    fc.assert(
      fc.property(json, (value) => {
        if (isObject(value)) assert.deepEqual(merge(value, {}), value);
        assert.deepEqual(merge({}, value), value);
        assert.deepEqual(merge(value, value), value);
      }),
    );
  });

  it("is idempotent, keeps all that the user says, and changes neither side", () => {
    fc.assert(
      fc.property(json, json, (base, over) => {
        const before = structuredClone([base, over]);
        const merged = merge(base, over);
        assert.deepEqual(merge(merged, over), merged);
        assert.ok(says(merged, over));
        assert.deepEqual([base, over], before);
      }),
    );
  });

  it("keeps what the user does not speak of", () => {
    fc.assert(
      fc.property(json, fc.constantFrom("p", "q"), (value, key) => {
        assert.deepEqual(merge({ [key]: value, z: 1 }, { z: 2 }), { [key]: value, z: 2 });
      }),
    );
  });
});

describe("renderIstioOperator", () => {
  const facts = {
    trustDomain: "example.org",
    clusterName: "east",
    exposure: exposureOf<string>({ type: "LoadBalancer" }),
  };
  const render = (user: JsonObject) =>
    JSON.parse(renderIstioOperator(user, facts)) as { spec: Record<string, unknown> };

  it("has a gateway with istiod's ports, and the facts", () => {
    const { spec, ...rest } = render({});
    assert.deepEqual(rest, {
      apiVersion: "install.istio.io/v1alpha1",
      kind: "IstioOperator",
      metadata: { name: "istio-vm", namespace: "istio-system" },
    });
    const { components, ...others } = spec;
    assert.deepEqual(others, {
      profile: "default",
      meshConfig: { trustDomain: "example.org" },
      values: { global: { multiCluster: { clusterName: "east" } } },
    });
    const { ingressGateways } = components as {
      ingressGateways: [JsonObject & { k8s: { service: { ports: { port: number }[] } } }];
    };
    assert.equal(ingressGateways[0].name, "istio-ingressgateway");
    assert.deepEqual(
      ingressGateways[0].k8s.service.ports.map(({ port }) => port),
      [15021, 80, 443, 15012, 15017],
    );
  });

  it("lays the user's upon it", () => {
    const gateway = { name: "istio-ingressgateway", k8s: { service: { ports: [{ name: "tcp", port: 9000 }] } } };
    const { spec } = render({
      spec: { profile: "minimal", components: { ingressGateways: [gateway, { name: "east" }] } },
    });
    assert.equal(spec.profile, "minimal");
    const [first, second] = (spec.components as { ingressGateways: (typeof gateway & { enabled?: boolean })[] })
      .ingressGateways;
    assert.equal(first?.enabled, true);
    assert.deepEqual(
      first?.k8s.service.ports.map(({ port }) => port),
      [15021, 80, 443, 15012, 15017, 9000],
    );
    assert.deepEqual(second, { name: "east" });
  });

  for (const [what, user, error] of [
    ["another kind", { kind: "Gateway" }, /^Error: the IstioOperator is of kind "Gateway"$/],
    [
      "another namespace",
      { metadata: { namespace: "istio" } },
      /^Error: istioOperator: metadata\.namespace is "istio", not "istio-system": hosts find istiod under istiod\.istio-system\.svc$/,
    ],
    [
      "another trust domain",
      { spec: { meshConfig: { trustDomain: "x" } } },
      /spec\.meshConfig\.trustDomain is "x", not "example\.org": set cluster\.trustDomain instead$/,
    ],
    [
      "another cluster name",
      { spec: { values: { global: { multiCluster: null } } } },
      /spec\.values\.global\.multiCluster\.clusterName is undefined, not "east": set cluster\.name instead$/,
    ],
  ] as [string, JsonObject, RegExp][]) {
    it(`refuses ${what}`, () => assert.throws(() => render(user), error));
  }
});
