import assert from "node:assert/strict";
import { hasGateway, manifestProblems } from "../../../mesh/controlPlane";
import { exposureOf } from "../../../mesh/exposure";
import type { KubernetesObject } from "../../../mesh/kubernetesObject";

const object = (kind: string, name: string, fields: object = {}, namespace = "istio-system"): KubernetesObject => ({
  apiVersion: "v1",
  kind,
  metadata: { name, namespace },
  ...fields,
});
const service = (name: string, ...ports: object[]) => object("Service", name, { spec: { ports } });
const port = (name: string, number: number, protocol?: string) => ({
  name,
  port: number,
  ...(protocol && { protocol }),
});

const deployment = object("Deployment", "istiod");
const istiod = service("istiod", port("grpc-xds", 15010), port("https-dns", 15012));
const gateway = service("istio-ingressgateway", port("a", 15012), port("b", 15017));
const values = (clusterName: string) =>
  object("ConfigMap", "istio-sidecar-injector", {
    data: { values: JSON.stringify({ global: { multiCluster: { clusterName } } }) },
  });
const mesh = (trustDomain: string) => object("ConfigMap", "istio", { data: { mesh: `trustDomain: ${trustDomain}\n` } });
const good = [deployment, istiod, gateway, values("east"), mesh("example.org")];

describe("manifestProblems", () => {
  const exposures = {
    NodePort: exposureOf({ type: "NodePort", nodeAddresses: ["10.0.0.1"] }, { installed: true }),
    LoadBalancer: exposureOf<string>({ type: "LoadBalancer" }, { installed: true }),
  };
  const found = (objects: KubernetesObject[], type: keyof typeof exposures = "LoadBalancer") =>
    manifestProblems(objects, { trustDomain: "example.org", clusterName: "east", exposure: exposures[type] }).join(
      "\n",
    );

  it("finds none in what hosts can join", () => {
    assert.equal(found(good), "");
    assert.equal(found([deployment, istiod], "NodePort"), "");
  });

  for (const [what, objects, problem] of [
    ["no istiod", [gateway], /^there is no istiod in istio-system, but none at all: /],
    [
      "a revision",
      [object("Deployment", "istiod-canary"), service("istiod-canary", port("a", 15012))],
      /^there is no istiod in istio-system, but istiod-canary in istio-system: /,
    ],
    [
      "another namespace",
      [object("Deployment", "istiod", {}, "mesh"), object("Service", "istiod", {}, "mesh")],
      /^there is no istiod in istio-system, but istiod in mesh: /,
    ],
    [
      "another port of istiod",
      [deployment, service("istiod", port("a", 15999)), gateway],
      /^the Service istiod has no port 15012, /,
    ],
    ["no gateway", [deployment, istiod], /^there is no istio-ingressgateway, .*: enable it, or choose NodePort$/],
    [
      "a gateway without istiod's ports",
      [deployment, istiod, service("istio-ingressgateway", port("a", 15012))],
      /^the Service istio-ingressgateway has no port 15017, /,
    ],
    [
      "a second namespace",
      [...good, object("Deployment", "east", {}, "edge")],
      /^it would install into edge as well: /,
    ],
    [
      "another cluster",
      [deployment, istiod, gateway, values("west")],
      /^its cluster would be "west", but cluster\.name is "east"$/,
    ],
    [
      "another trust domain",
      [deployment, istiod, gateway, mesh("x")],
      /^its trust domain would be "x", but cluster\.trustDomain is "example\.org"$/,
    ],
    [
      "a port twice",
      [...good, service("east", port("a", 80), port("b", 80, "TCP"), port("c", 80, "UDP"))],
      /^the Service east would have port 80\/TCP twice$/,
    ],
    [
      "a name twice",
      [...good, service("east", port("a", 80), port("a", 81))],
      /^the Service east would have two ports of the name "a"$/,
    ],
  ] as [string, KubernetesObject[], RegExp][]) {
    it(`finds ${what}`, () => assert.match(found(objects), problem));
  }
});

describe("hasGateway", () => {
  it("looks for the gateway's Service", () => {
    assert.equal(hasGateway(good), true);
    assert.equal(hasGateway([deployment, istiod]), false);
  });
});
