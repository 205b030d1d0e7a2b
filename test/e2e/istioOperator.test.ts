/** The real istioctl: what it makes of a user's IstioOperator must not depend on ours being laid upon it. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { loadAll } from "js-yaml";
import { type Config, parseConfig } from "../../config";
import { hasGateway } from "../../mesh/controlPlane";
import type { KubernetesObject } from "../../mesh/kubernetesObject";
import { capture } from "../../tools/command";
import { controlPlaneManifest, generateManifest, istioctlVersion } from "../../tools/istioctl";

const folder = mkdtempSync(join(tmpdir(), "istio-vm-operator-"));
const file = join(folder, "operator, of mine.yaml");
let version: string;

function config(operator: string, exposure: object = { type: "NodePort", nodeAddresses: ["10.0.0.1"] }): Config {
  writeFileSync(file, operator);
  return parseConfig({
    values: {
      controlPlane: JSON.stringify({ install: { version, operator: file } }),
      cluster: JSON.stringify({ trustDomain: "example.org", name: "east" }),
      exposure: JSON.stringify(exposure),
      sidecar: JSON.stringify({ url: "https://example.org/sidecar.deb", sha256: "a".repeat(64) }),
    },
    isSecret: () => false,
  });
}

/** What is not the user's to say: whose mesh it is, and what it takes to replace its CA one day. */
const FACTS = `apiVersion: install.istio.io/v1alpha1
kind: IstioOperator
spec:
  meshConfig:
    trustDomain: example.org
    defaultConfig: {proxyMetadata: {PROXY_CONFIG_XDS_AGENT: "true"}}
  values:
    global: {multiCluster: {clusterName: east}}
    pilot: {env: {ISTIO_MULTIROOT_MESH: "true", SHARED_MESH_CONFIG: istio-vm-trust}}
`;

/** What istioctl makes of a file by itself, but for these facts. */
async function ownManifest(operator: string): Promise<string> {
  const [own, facts] = ["own.yaml", "facts.yaml"].map((name) => join(folder, name));
  writeFileSync(own!, operator);
  writeFileSync(facts!, FACTS);
  return capture("istioctl", ["manifest", "generate", `--filename=${own}`, `--filename=${facts}`]);
}

/** Istio's charts can't take every text as an annotation: such as is refused by itself must be refused. */
const orRefused = (manifest: Promise<string>) => manifest.catch(() => "refused");

const HEAD =
  "apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nmetadata: {name: cp, namespace: istio-system}\n";

/** What is text to one reader of YAML, and a number, a switch, a time or nothing to another. */
const WORDS = [
  ..."yes no on off y n YES No ON true True ~ null Null 1_000 0o17 017 0x1F 1e3 .inf .NaN 12:30:45 1:20 +1".split(" "),
  ..."12345678901234567890 0.1 1.10 -0 2026-11-26 2026-11-26T10:00:00Z 0b11 1,000 1.31.0 = <<".split(" "),
];

const samples: [what: string, operator: string][] = [
  [
    "quoted words",
    `${HEAD}spec:
  values:
    pilot:
      env:
${WORDS.map((word, n) => `        A${n}: "${word}"`).join("\n")}
      podAnnotations:
${WORDS.map((word, n) => `        a/b${n}: '${word}'`).join("\n")}
`,
  ],
  [
    "plain words",
    `${HEAD}spec:
  meshConfig:
    defaultConfig:
      proxyMetadata:
        A: "yes"
        "on": "1_000"
  values:
    pilot:
      podAnnotations:
${WORDS.filter((word) => !["<<", "=", ".inf", ".NaN"].includes(word))
  .map((word, n) => `        a/b${n}: ${word}`)
  .join("\n")}
`,
  ],
  [
    "anchors and merge keys",
    `${HEAD}spec:
  components:
    pilot: {k8s: {resources: &small {requests: {cpu: 100m, memory: 256Mi}}}}
    ingressGateways:
      - name: istio-ingressgateway
        enabled: true
        k8s: {resources: {<<: *small, limits: {cpu: 500m}}}
      - {name: east, enabled: true, label: {istio: east}}
`,
  ],
  [
    "an overlay, block texts, a comment, Windows' line ends, and a trailing separator",
    `${HEAD}spec: # all of it
  components:
    pilot:
      k8s:
        env: [{name: A, value: "010"}]
        overlays:
          - kind: Deployment
            name: istiod
            patches:
              - path: spec.template.spec.containers.[name:discovery].args.[-1]
                value: "--log_output_level=default:info"
  values:
    pilot:
      podAnnotations:
        folded: >-
          one
          two
        literal: |+
          one

  hub: "h/0123"
---
# nothing more
`.replaceAll("\n", "\r\n"),
  ],
  ["a key that stands twice", `${HEAD}spec:\n  hub: a\n  hub: b\n`],
  [
    "nulls that istioctl takes as absent",
    `${HEAD}spec:\n  hub:\n  tag:\n  profile:\n  components:\n    pilot:\n      k8s:\n`,
  ],
  ["no gateway", `${HEAD}spec: {components: {ingressGateways: [{name: istio-ingressgateway, enabled: false}]}}\n`],
  ["the minimal profile", `${HEAD}spec: {profile: minimal}\n`],
  ["a byte order mark and a start", `\ufeff---\n${HEAD}spec: {hub: x}\n...\n`],
];

describe("a user's IstioOperator, with the real istioctl", function () {
  before(async () => (version = await istioctlVersion()));
  after(() => rmSync(folder, { recursive: true }));

  for (const [what, operator] of samples) {
    it(`gives the manifest that it gives by itself: ${what}`, async () => {
      assert.equal(await generateManifest(config(operator)), await ownManifest(operator.replace(/^\ufeff/, "")));
    });
  }

  it("gives the manifest that it gives by itself: whatever values it has", async () => {
    // Words of many kinds, and texts of any character; a text with such a character is quoted as JSON.
    const text = fc.string({ unit: "grapheme", maxLength: 12 });
    const value = fc.oneof(
      fc.constantFrom(...WORDS),
      text,
      fc.double().map(String),
      fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map(String),
      fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
    );
    const quoted = value.map((word) =>
      JSON.stringify(word).replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`),
    );
    const single = value.filter((word) => /^[\x20-\x7e]*$/.test(word)).map((word) => `'${word.replaceAll("'", "''")}'`);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(quoted, single), { minLength: 30, maxLength: 60 }), async (words) => {
        // A pair of surrogates is one character to YAML, which two escapes of JSON are not.
        const plain = words.filter((word) => !/\\u[dD][89a-fA-F]/.test(word));
        const lines = plain.map((word, n) => `        a/b${n}: ${word}\n`).join("");
        const env = plain.map((word, n) => `        E${n}: ${word}\n`).join("");
        const operator = `${HEAD}spec:\n  values:\n    pilot:\n      podAnnotations:\n${lines}      env:\n${env}`;
        assert.equal(await orRefused(generateManifest(config(operator))), await orRefused(ownManifest(operator)));
      }),
      { numRuns: 8, examples: [[Array.from({ length: 30 }, () => `'"'`)]] },
    );
  });

  it("may have no kind, or stand in the stack's own file, big numbers and all", async () => {
    const fields = "spec:\n  values:\n    pilot: {podAnnotations: {a/b: 12345678901234567890, c/d: 'yes'}}\n";
    const expected = await ownManifest(HEAD + fields);
    assert.equal(await generateManifest(config(`# mine\n---\n${fields}`)), expected);
    const inline = '{"spec":{"values":{"pilot":{"podAnnotations":{"a/b":12345678901234567890,"c/d":"yes"}}}}}';
    assert.equal(await generateManifest(config(inline)), expected);
    const parsed = parseConfig({
      values: {
        controlPlane: `{"install":{"version":"${version}","operator":${inline}}}`,
        cluster: '{"trustDomain":"example.org","name":"east"}',
        exposure: '{"type":"NodePort","nodeAddresses":["10.0.0.1"]}',
        sidecar: JSON.stringify({ url: "https://example.org/sidecar.deb", sha256: "a".repeat(64) }),
      },
      isSecret: () => false,
    });
    assert.equal(await generateManifest(parsed), expected);
  });

  describe("with exposure LoadBalancer", () => {
    const gatewayOf = (objects: KubernetesObject[]) =>
      objects.find(({ kind, metadata }) => kind === "Service" && metadata.name === "istio-ingressgateway")!;
    const ports = (service: KubernetesObject) =>
      (service.spec as { ports: { name: string; port: number }[] }).ports.map(({ name, port }) => `${name} ${port}`);
    const CHART = ["status-port 15021", "http2 80", "https 443"];
    const ISTIOD = ["tls-istiod 15012", "tls-webhook 15017"];
    const own = [
      "- {name: http, port: 80, targetPort: 8080}",
      "- {name: tcp-istiod, port: 15012, targetPort: 15012}",
      "- {name: tls-webhook, port: 15443, targetPort: 15443}",
    ];
    const inEntry = `spec:
  components:
    ingressGateways:
      - {name: east, enabled: true}
      - name: istio-ingressgateway
        k8s: {service: {ports: [${own.map((line) => line.slice(2)).join(", ")}]}}
`;
    const inValues = `spec:\n  values:\n    gateways:\n      istio-ingressgateway:\n        ports:\n${own.map((line) => `          ${line}\n`).join("")}`;
    const OWN = ["http 80", "tcp-istiod 15012", "tls-webhook 15443", "tls-webhook-vm 15017"];
    for (const [what, fields, expected] of [
      ["of the chart", "", [...CHART, ...ISTIOD]],
      ["of the minimal profile, which has no gateway of its own", "spec: {profile: minimal}\n", [...CHART, ...ISTIOD]],
      [
        "of an entry without ports",
        "spec: {components: {ingressGateways: [{name: istio-ingressgateway, enabled: true}]}}\n",
        [...CHART, ...ISTIOD],
      ],
      ["of the user's entry, under the user's names", inEntry, OWN],
      ["of the user's values, under the user's names", inValues, OWN],
    ] as [string, string, string[]][]) {
      it(`adds istiod's ports to those ${what}`, async () => {
        const objects = await controlPlaneManifest(config(HEAD + fields, { type: "LoadBalancer" }));
        assert.deepEqual(ports(gatewayOf(objects)), expected);
        // Nothing else differs from what the user's own file gives.
        const rest = (all: KubernetesObject[]) => all.filter((object) => object !== gatewayOf(all));
        if (!fields.includes("minimal")) {
          const alone = loadAll(await ownManifest(HEAD + fields)) as KubernetesObject[];
          const names = (all: KubernetesObject[]) => rest(all).map(({ kind, metadata }) => `${kind}/${metadata.name}`);
          assert.deepEqual(names(objects), names(alone.filter(Boolean)));
        }
      });
    }

    it("refuses a gateway that is switched off where nobody would look", () => {
      const operator = `${HEAD}spec: {profile: minimal, components: {ingressGateways: [{name: east}]}}\n`;
      assert.throws(
        () => config(operator, { type: "LoadBalancer" }),
        /has no istio-ingressgateway; exposure LoadBalancer/,
      );
    });
  });

  for (const [what, spec, problem] of [
    [
      "a revision among values that nobody checks",
      "unvalidatedValues: {revision: canary}",
      /unvalidatedValues\.revision/,
    ],
    ["the profile empty", "profile: empty", /there is no istiod in istio-system, but none at all/],
    [
      "an overlay that renames istiod's port",
      "components: {pilot: {k8s: {overlays: [{kind: Service, name: istiod, patches: [{path: 'spec.ports.[name:https-dns].port', value: 15999}]}]}}}",
      /the Service istiod has no port 15012/,
    ],
    [
      "a port that the user has twice",
      "components: {ingressGateways: [{name: istio-ingressgateway, k8s: {service: {ports: [{name: a, port: 80, targetPort: 8080}, {name: b, port: 80, targetPort: 8081}]}}}]}",
      /the Service istio-ingressgateway would have port 80\/TCP twice/,
    ],
  ] as const) {
    it(`refuses ${what}`, () =>
      assert.rejects(async () => controlPlaneManifest(config(`${HEAD}spec: {${spec}}\n`)), problem));
  }

  it("knows whether there is a gateway", async () => {
    const off = `${HEAD}spec: {components: {ingressGateways: [{name: istio-ingressgateway, enabled: false}]}}\n`;
    assert.equal(hasGateway(await controlPlaneManifest(config(HEAD))), true);
    assert.equal(hasGateway(await controlPlaneManifest(config(off))), false);
  });
});
