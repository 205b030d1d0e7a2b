import assert from "node:assert/strict";
import { forProvider, inStages, objectName, parseManifests, withoutLateFields } from "../../../mesh/manifests";

const object = (kind: string, name: string, fields: object = {}) => ({
  apiVersion: "v1",
  kind,
  metadata: { name, namespace: "istio-system" },
  ...fields,
});
const yaml = (kind: string, name: string) => `apiVersion: v1\nkind: ${kind}\nmetadata:\n  name: ${name}\n`;

describe("parseManifests", () => {
  it("reads every document in its order, and passes over empty ones", () => {
    const text = `# a comment\n---\n${yaml("B", "x")}---\n---\n# nothing\n---\n${yaml("A", "y")}...\n`;
    assert.deepEqual(
      parseManifests(text).map(({ kind, metadata }) => [kind, metadata.name]),
      [
        ["B", "x"],
        ["A", "y"],
      ],
    );
    assert.deepEqual(parseManifests(""), []);
  });

  for (const [what, text, error] of [
    ["broken YAML", "a: [\nb: c", /^Error: istioctl's manifest is not valid YAML: /],
    ["a text", "istioctl: command failed", /without apiVersion, kind or metadata\.name/],
    ["a scalar", "hello", /without apiVersion, kind or metadata\.name/],
    ["no apiVersion", "kind: A\nmetadata: {name: a}", /without apiVersion/],
    ["no kind", "apiVersion: v1\nmetadata: {name: a}", /without apiVersion/],
    ["no name", "apiVersion: v1\nkind: A\nmetadata: {}", /without apiVersion/],
    ["no metadata", "apiVersion: v1\nkind: A", /without apiVersion/],
  ] as const) {
    it(`refuses ${what}`, () => assert.throws(() => parseManifests(`${yaml("A", "x")}---\n${text}`), error));
  }
});

it("objectName tells apart what kind, namespace or name tell apart", () => {
  assert.equal(objectName(object("Service", "istiod")), "Service/istio-system/istiod");
  assert.equal(objectName({ ...object("ClusterRole", "istiod"), metadata: { name: "istiod" } }), "ClusterRole/istiod");
});

it("inStages puts definitions first, what runs last, and keeps the order within a stage", () => {
  const kinds = ["Service", "ConfigMap", "CustomResourceDefinition", "Deployment", "ClusterRoleBinding", "Secret"];
  const more = ["HorizontalPodAutoscaler", "MutatingWebhookConfiguration", "PodDisruptionBudget", "DaemonSet"];
  const objects = [...kinds, ...more, "CustomResourceDefinition"].map((kind, n) => object(kind, `o${n}`));
  assert.deepEqual(
    inStages(objects).map((stage) => stage.map(({ kind, metadata }) => `${kind} ${metadata.name}`)),
    [
      ["CustomResourceDefinition o2", "CustomResourceDefinition o10"],
      ["ConfigMap o1", "ClusterRoleBinding o4", "Secret o5", "MutatingWebhookConfiguration o7"],
      ["Service o0", "Deployment o3", "HorizontalPodAutoscaler o6", "PodDisruptionBudget o8", "DaemonSet o9"],
    ],
  );
  assert.deepEqual(inStages([]), [[], [], []]);
});

describe("forProvider", () => {
  const annotations = { own: "1" };
  const service = (spec: object, more: object) => ({
    ...object("Service", "a", { spec }),
    metadata: { name: "a", annotations: { ...annotations, ...more } },
  });
  const taken = { "pulumi.com/patchForce": "true" };

  it("takes a Service's type back, and waits for no load balancer", () => {
    const [plain, balanced] = [{ ports: [] }, { type: "LoadBalancer" }];
    assert.deepEqual(forProvider(service(plain, {})), service(plain, taken));
    assert.deepEqual(
      forProvider(service(balanced, {})),
      service(balanced, { ...taken, "pulumi.com/skipAwait": "true" }),
    );
  });

  it("leaves all else as it is", () => {
    const deployment = object("Deployment", "a", { spec: { type: "LoadBalancer" } });
    assert.deepEqual(forProvider(deployment), deployment);
  });
});

describe("withoutLateFields", () => {
  const cases: [string, object, object][] = [
    [
      "takes what istiod writes out of webhooks",
      object("ValidatingWebhookConfiguration", "istio-validator", {
        webhooks: [
          { name: "a", failurePolicy: "Ignore", clientConfig: { caBundle: "", service: { name: "istiod" } } },
          { name: "b", clientConfig: { url: "https://x" } },
          { name: "c", failurePolicy: "Fail" },
        ],
      }),
      object("ValidatingWebhookConfiguration", "istio-validator", {
        webhooks: [
          { name: "a", clientConfig: { service: { name: "istiod" } } },
          { name: "b", clientConfig: { url: "https://x" } },
          { name: "c" },
        ],
      }),
    ],
    ...["istiod", "istio-ingressgateway"].map((name): [string, object, object] => [
      `takes the type out of the Service ${name}`,
      object("Service", name, { spec: { type: "LoadBalancer", ports: [{ port: 1 }] } }),
      object("Service", name, { spec: { ports: [{ port: 1 }] } }),
    ]),
    ...[
      object("Service", "eastwest", { spec: { type: "LoadBalancer" } }),
      object("Secret", "istiod", { type: "Opaque", spec: { type: "x" } }),
      object("Service", "istiod", { spec: { ports: [] } }),
    ].map((same): [string, object, object] => [`leaves ${same.kind} ${same.metadata.name} as it is`, same, same]),
  ];
  for (const [what, before, after] of cases) {
    it(what, () => {
      const given = structuredClone(before);
      assert.deepEqual(withoutLateFields(given as never, ["istiod", "istio-ingressgateway"]), after);
      assert.deepEqual(given, before);
    });
  }
});
