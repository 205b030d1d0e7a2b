import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { load } from "js-yaml";
import { exposureOf } from "../../../mesh/exposure";
import { istioctlInput } from "../../../mesh/istioOperator";
import type { JsonObject } from "../../../mesh/json";
import { operatorProblems } from "../../../mesh/operatorRules";
import { inlineOperator, readOperator } from "../../../mesh/operatorText";

const nodePort = exposureOf({ type: "NodePort", nodeAddresses: ["10.0.0.1"] }, { installed: true });
const loadBalancer = exposureOf<string>({ type: "LoadBalancer" }, { installed: true });
const facts = { trustDomain: "example.org", clusterName: "east", exposure: loadBalancer };

describe("istioctlInput", () => {
  const input = (content: JsonObject, exposure = loadBalancer) => {
    const { ours, ...rest } = istioctlInput({ text: "as it is", content }, { ...facts, exposure });
    return { ...rest, ours: JSON.parse(ours) as { spec: JsonObject } };
  };
  /** The ports that the flags give, with the number of the entry that each is. */
  const added = (content: JsonObject) => {
    const entries = input(content).flags.flatMap((flag) => {
      const [, place, n, field, value] = /^--set=(.+)\.\[(\d+)\]\.(\w+)=(.+)$/.exec(flag) ?? assert.fail(flag);
      return field === "port" || field === "name" ? [[place, n, value] as const] : [];
    });
    return entries.map(([, n, value]) => `${n}:${value}`).join(" ");
  };
  const entry = (ports: object[]) => ({
    spec: { components: { ingressGateways: [{ name: "istio-ingressgateway", k8s: { service: { ports } } }] } },
  });

  it("has the user's text as it is, and the facts", () => {
    const { user, ours, flags } = input({}, nodePort);
    assert.equal(user, "as it is");
    assert.deepEqual(ours.spec, {
      meshConfig: {
        trustDomain: "example.org",
        defaultConfig: { proxyMetadata: { PROXY_CONFIG_XDS_AGENT: "true" } },
      },
      values: {
        global: { multiCluster: { clusterName: "east" } },
        pilot: { env: { ISTIO_MULTIROOT_MESH: "true", SHARED_MESH_CONFIG: "istio-vm-trust" } },
      },
    });
    assert.deepEqual(flags, []);
  });

  it("leaves the user's own mesh config beside istiod's as it is", () => {
    const env = { SHARED_MESH_CONFIG: "theirs" };
    const { ours } = input({ spec: { values: { pilot: { env } } } }, nodePort);
    const { pilot } = ours.spec.values as { pilot: object };
    assert.deepEqual(pilot, { env: { ISTIO_MULTIROOT_MESH: "true" } });
  });

  it("has a gateway with the chart's ports and istiod's, if hosts reach istiod through it", () => {
    const { components } = input({}).ours.spec;
    assert.deepEqual(components, { ingressGateways: [{ name: "istio-ingressgateway", enabled: true }] });
    assert.equal(
      added({}),
      "0:status-port 0:15021 1:http2 1:80 2:https 2:443 3:tls-istiod 3:15012 4:tls-webhook 4:15017",
    );
    assert.equal(input(entry([])).ours.spec.components, undefined);
  });

  it("has nothing of the gateway's, if hosts reach istiod through one of our own", () => {
    const own = exposureOf<string>({ type: "EastWestGateway" }, { installed: true });
    const { ours, flags } = input({}, own);
    assert.deepEqual([ours.spec.components, flags], [undefined, []]);
    const off = { spec: { components: { ingressGateways: [{ name: "istio-ingressgateway", enabled: false }] } } };
    assert.deepEqual(operatorProblems(off, { ...facts, exposure: own }), []);
  });

  it("gives one port one entry, under the user's name, and each name to one port", () => {
    assert.equal(
      added(
        entry([
          { name: "x", port: 15012 },
          { name: "y", port: 15017 },
        ]),
      ),
      "",
    );
    assert.equal(added(entry([{ name: "x", port: 15012 }])), "1:tls-webhook 1:15017");
    assert.equal(added(entry([{ name: "tls-istiod", port: 9000 }])), "1:tls-istiod-vm 1:15012 2:tls-webhook 2:15017");
  });

  it("leaves the user's ports as they are, and has each port and each name once, istiod's among them", () => {
    const names = fc.constantFrom("http", "tls-istiod", "tls-webhook", "tls-istiod-vm", "x");
    const numbers = fc.constantFrom(80, 443, 15012, 15017, 15021, 9000);
    const port = fc.record({ name: names, port: numbers });
    const ports = fc
      .uniqueArray(port, { selector: ({ name }) => name })
      .map((all) => all.filter(({ port: n }, at) => all.findIndex((other) => other.port === n) === at));
    fc.assert(
      fc.property(ports, (own) => {
        const all: { name?: string; port?: number }[] = own.map((each) => ({ ...each }));
        for (const flag of input(entry(own)).flags) {
          const [, n, field, value] = /\.\[(\d+)\]\.(name|port)=(.+)$/.exec(flag) ?? [];
          if (n === undefined) continue;
          assert.ok(Number(n) >= own.length, `${flag} changes the user's own`);
          all[Number(n)] = { ...all[Number(n)], [field!]: field === "port" ? Number(value) : value };
        }
        const unique = (values: unknown[]) => assert.equal(new Set(values).size, values.length, JSON.stringify(all));
        unique(all.map(({ name }) => name));
        unique(all.map(({ port: number }) => number));
        for (const wanted of [15012, 15017]) assert.ok(all.some(({ port: number }) => number === wanted));
      }),
    );
  });

  it("adds to the list that counts", () => {
    const values = { gateways: { "istio-ingressgateway": { ports: [{ name: "a", port: 1 }] } } };
    assert.match(input({ spec: { values } }).flags[0]!, /^--set=values\.gateways\.istio-ingressgateway\.ports\.\[1\]/);
    const both = { spec: { ...entry([{ name: "a", port: 1 }]).spec, values } };
    assert.match(input(both).flags[0]!, /^--set=components\.ingressGateways\.\[name:istio-ingressgateway\]\.k8s/);
  });
});

describe("readOperator", () => {
  it("keeps the text, and reads it as istioctl does", () => {
    const text = "kind: IstioOperator\na: &x {b: yes, c: 1_000}\nd: {<<: *x, e: '1_000'}\nf: 1\nf: 2\n---\n# end\n";
    assert.deepEqual(readOperator(text), {
      text,
      content: {
        kind: "IstioOperator",
        a: { b: true, c: 1000 },
        d: { b: true, c: 1000, e: "1_000" },
        f: 2,
      },
    });
    assert.deepEqual(inlineOperator("{}"), { text: '{"kind":"IstioOperator"}', content: {} });
  });

  it("adds a kind in front of fields that have none", () => {
    for (const text of [
      "spec: {hub: a}\n",
      "\ufeffspec:\n  hub: a\n",
      "# mine\n\n---\nspec:\n  hub: a\n---\n",
      "%YAML 1.1\n---\nspec: {hub: a}\n...\n",
      "{spec: {hub: a}}\n",
      "# mine\r\n{\r\n spec: {hub: a}}\r\n",
    ]) {
      const { text: complete, content } = readOperator(text);
      assert.deepEqual(content, { spec: { hub: "a" } });
      assert.match(complete, /^(?![\s\S]*\ufeff)[\s\S]*kind"?: "?IstioOperator/);
      const end = complete.replace(/[\s\S]*?IstioOperator"?,?\s*/, "").trim();
      assert.ok(text.replaceAll("{", "").includes(end.replaceAll("{", "")), complete);
    }
  });

  for (const [what, text, reason] of [
    ["a list", "- a\n", /^Error: it is no map$/],
    ["empty", "---\n# nothing\n---\n", /^Error: expected a document, but the input is empty$/],
    ["no YAML", "a: [\nb: c\n", /deficient indentation/],
    [
      "without a kind, in a form of its own",
      "--- {spec: {}}\n",
      /^Error: it has no kind; expected kind: IstioOperator$/,
    ],
    ["of a kind that is nothing", "kind:\nspec: {}\n", /^Error: it has no kind/],
    [
      "several documents",
      "kind: Namespace\n---\nkind: IstioOperator\n---\nkind: IstioOperator\n",
      /^Error: it has 3 documents \(Namespace, IstioOperator, IstioOperator\), but istioctl takes one IstioOperator: put all of it into one$/,
    ],
  ] as const) {
    it(`refuses what is ${what}`, () => assert.throws(() => readOperator(text), reason));
  }
});

describe("inlineOperator", () => {
  it("is the same in YAML as in JSON, whatever characters it has", () => {
    const text = fc.string({ unit: "binary" });
    const values = fc.dictionary(text, fc.oneof(text, fc.double({ noNaN: true, noDefaultInfinity: true })));
    fc.assert(
      fc.property(values, (spec) => {
        const json = JSON.stringify({ spec });
        const { text: yaml, content } = inlineOperator(json);
        assert.deepEqual(content, JSON.parse(json));
        // __proto__ is a key to JSON only.
        if (!json.includes("__proto__")) {
          assert.ok(isDeepStrictEqual(load(yaml), { kind: "IstioOperator", ...(JSON.parse(json) as object) }), yaml);
        }
      }),
    );
  });

  it("keeps numbers as they were written", () => {
    assert.match(
      inlineOperator('{"spec":{"a":12345678901234567890,"b":1.10}}').text,
      /12345678901234567890,"b":1\.10\}/,
    );
  });
});

describe("operatorProblems", () => {
  const path = (keys: string, value: unknown) =>
    keys.split(".").reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as JsonObject;
  const found = (user: JsonObject, exposure = nodePort) => operatorProblems(user, { ...facts, exposure });

  for (const [keys, value] of [
    ["kind", "Gateway"],
    ["metadata.namespace", "istio"],
    ["spec.namespace", "istio"],
    ["spec.values.global.istioNamespace", "istio"],
    ["spec.unvalidatedValues.global.istioNamespace", "istio"],
    ["spec.components.base.namespace", "istio"],
    ["spec.components.pilot.namespace", "istio"],
    ["spec.components.cni.namespace", "istio"],
    ["spec.revision", "canary"],
    ["spec.values.revision", "canary"],
    ["spec.unvalidatedValues.revision", "canary"],
    ["spec.values.defaultRevision", "canary"],
    ["spec.values.revisionTags", ["stable"]],
    ["spec.profile", "remote"],
    ["spec.components.pilot.enabled", false],
    ["spec.components.istiodRemote.enabled", true],
    ["spec.values.global.externalIstiod", true],
    ["spec.values.global.remotePilotAddress", "10.0.0.1"],
    ["spec.values.global.pilotCertProvider", "kubernetes"],
    ["spec.values.global.caAddress", "cert-manager-istio-csr:443"],
    ["spec.meshConfig.trustDomain", "x"],
    ["spec.values.meshConfig.trustDomain", "x"],
    ["spec.values.global.multiCluster.clusterName", "x"],
    ["spec.meshConfig", null],
    ["spec.values.global", null],
    ["spec.values.global.multiCluster", null],
    ["spec.values.meshConfig", null],
    ["spec.components.ingressGateways", null],
    ["spec.components.egressGateways", {}],
  ] as [string, unknown][]) {
    it(`refuses ${keys}: ${JSON.stringify(value)}, in one line`, () => {
      const [line, ...others] = found(path(keys, value));
      assert.ok(
        line?.startsWith(`controlPlane.install.operator.${keys}: ${JSON.stringify(value)} is not allowed; `),
        line,
      );
      assert.deepEqual(others, []);
    });
  }

  it("accepts what says the same, or nothing", () => {
    const values = {
      revision: "",
      defaultRevision: "default",
      revisionTags: [],
      meshConfig: { trustDomain: "example.org" },
      global: { istioNamespace: "istio-system", multiCluster: { clusterName: "east" }, pilotCertProvider: "istiod" },
    };
    assert.deepEqual(
      found({
        kind: "IstioOperator",
        metadata: { namespace: "istio-system" },
        spec: {
          revision: "default",
          profile: "minimal",
          values,
          components: {
            pilot: { namespace: "istio-system", k8s: { service: { ports: [{ port: 15012 }] } } },
            cni: { namespace: "kube-system" },
            ingressGateways: [{ name: "istio-ingressgateway", enabled: false }],
          },
        },
      }),
      [],
    );
    for (const nothing of [
      {},
      { spec: null },
      { metadata: null, spec: { values: null, components: null, hub: null } },
    ]) {
      assert.deepEqual(found(nothing), []);
      assert.deepEqual(found(nothing, loadBalancer), []);
    }
  });

  it("names all at once", () => {
    const gateways = [
      { name: "east", namespace: "edge" },
      { name: "west", namespace: "istio-system" },
    ];
    const pilot = { k8s: { service: { ports: [{ port: 15010 }] } } };
    const spec = {
      revision: "a",
      components: { pilot, ingressGateways: gateways, egressGateways: [{ namespace: "x" }] },
    };
    assert.deepEqual(found({ spec }, loadBalancer), [
      'controlPlane.install.operator.spec.revision: "a" is not allowed; expected no revision: hosts find istiod under istiod.istio-system.svc, which is that of the revision default',
      'controlPlane.install.operator.spec.components.ingressGateways[0].namespace: "edge" is not allowed; expected istio-system',
      'controlPlane.install.operator.spec.components.egressGateways[0].namespace: "x" is not allowed; expected istio-system',
      "controlPlane.install.operator.spec.components.pilot.k8s.service.ports: lacks port 15012, at which hosts reach istiod",
      "controlPlane.install.operator.spec.components.ingressGateways: has no istio-ingressgateway; exposure LoadBalancer needs the gateway istio-ingressgateway, through which hosts reach istiod",
    ]);
  });

  it("needs the gateway where hosts reach istiod through it, and nowhere else", () => {
    const spec = { components: { ingressGateways: [{ name: "istio-ingressgateway", enabled: false }] } };
    assert.deepEqual(found({ spec }), []);
    assert.match(
      found({ spec }, loadBalancer).join("\n"),
      /^controlPlane\.install\.operator\.spec\.components\.ingressGateways: istio-ingressgateway is not enabled; .*or choose exposure NodePort$/,
    );
    const values = { gateways: { "istio-ingressgateway": { enabled: true } } };
    assert.deepEqual(found({ spec: { ...spec, values } }, loadBalancer), []);
    const empty = { components: { ingressGateways: [{ name: "istio-ingressgateway", k8s: { service: null } }] } };
    assert.match(
      found({ spec: empty }, loadBalancer).join("\n"),
      /k8s\.service of istio-ingressgateway is null; give it a value, or remove the line$/,
    );
  });
});
