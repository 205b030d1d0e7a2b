import assert from "node:assert/strict";
import { type ExposureArgs, exposureOf, crossingProblems, ingressPorts } from "../../../mesh/exposure";

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

describe("the ports of istiod's that the ingress gateway passes on", () => {
  it("are those of hosts that go through it, and none where they go another way", () => {
    const of = (args: ExposureArgs) =>
      ingressPorts(exposureOf(args, { installed: true })).map(({ gateway }) => gateway);
    assert.deepEqual(of({ type: "LoadBalancer" }), [15012, 15017]);
    assert.deepEqual(of({ type: "EastWestGateway" }), []);
    assert.deepEqual(of({ type: "NodePort", nodeAddresses: ["10.0.0.1"] }), []);
  });
});

describe("hosts in other networks", () => {
  const db1 = { name: "db1", network: "dmz" };

  it("come through a load balancer, where the cluster's network has a name", () => {
    assert.deepEqual(crossingProblems([db1], "net1", {}), []);
    assert.deepEqual(crossingProblems([], undefined, { nodeAddresses: [] }), []);
  });

  it("are refused, each, where Istio would not lead them to the gateway", () => {
    const [unnamed, byNode] = crossingProblems([db1], undefined, { nodeAddresses: ["10.0.0.1"] });
    assert.match(
      unnamed!,
      /^db1 is in network "dmz", and that of the cluster has no name: .*topology\.istio\.io\/network$/,
    );
    assert.match(byNode!, /^db1 is in network "dmz": .*: leave exposure\.nodeAddresses out$/);
  });
});
