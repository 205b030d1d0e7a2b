import assert from "node:assert/strict";
import { type ExposureArgs, exposureOf } from "../../../mesh/exposure";

describe("exposureOf", () => {
  const [ours, theirs] = [{ installed: true }, { installed: false }];
  const proxies = { name: "tls-istiod", gateway: 15012, istiod: 15012 };
  const webhooks = { name: "tls-webhook", gateway: 15017, istiod: 443 };

  it("NodePort: opens nothing of istiod on the ingress gateway", () => {
    const nodeAddresses = ["10.0.0.1", "10.0.0.2"];
    const istiod = { by: "nodePort", nodeAddresses };
    assert.deepEqual(exposureOf({ type: "NodePort", nodeAddresses }, ours), {
      through: "istiod",
      serviceTypes: { istiod: "NodePort", "istio-ingressgateway": "NodePort" },
      passed: [],
      istiod,
    });
    assert.deepEqual(exposureOf({ type: "NodePort", nodeAddresses }, { ...ours, gateway: false }).serviceTypes, {
      istiod: "NodePort",
    });
    assert.deepEqual(exposureOf({ type: "NodePort", nodeAddresses }, theirs), {
      through: "ownService",
      serviceTypes: {},
      passed: [],
      istiod,
    });
  });

  it("LoadBalancer: leaves istiod's own Service inside the cluster, and finds it at the gateway", () => {
    const istiod = { by: "loadBalancer", port: 15012 };
    assert.deepEqual(exposureOf({ type: "LoadBalancer" }, ours), {
      through: "ingressGateway",
      serviceTypes: { istiod: "ClusterIP", "istio-ingressgateway": "LoadBalancer" },
      passed: [proxies, webhooks],
      istiod,
    });
    assert.deepEqual(exposureOf({ type: "LoadBalancer" }, theirs), {
      through: "ingressGateway",
      serviceTypes: {},
      passed: [proxies],
      istiod,
    });
  });

  const alike: [ExposureArgs, object][] = [
    [
      { type: "EastWestGateway" },
      { through: "ownGateway", passed: [proxies], istiod: { by: "loadBalancer", port: 15012 } },
    ],
    [
      { type: "EastWestGateway", nodeAddresses: ["10.0.0.1"] },
      { through: "ownGateway", passed: [proxies], istiod: { by: "nodePort", nodeAddresses: ["10.0.0.1"] } },
    ],
    [
      { type: "Address", address: "istiod.example.com", port: 443 },
      { through: "none", passed: [], istiod: { by: "address", address: "istiod.example.com", port: 443 } },
    ],
  ];
  for (const [args, expected] of alike) {
    it(`${JSON.stringify(args)}: sets no type, whoever's Istio it is`, () => {
      for (const whose of [ours, theirs]) assert.deepEqual(exposureOf(args, whose), { serviceTypes: {}, ...expected });
    });
  }
});
