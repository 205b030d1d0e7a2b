import assert from "node:assert/strict";
import { exposureOf } from "../../../mesh/exposure";

describe("exposureOf", () => {
  it("NodePort: opens nothing of istiod on the ingress gateway", () => {
    assert.deepEqual(exposureOf({ type: "NodePort", nodeAddress: "10.0.0.1" }), {
      serviceTypes: { istiod: "NodePort", "istio-ingressgateway": "NodePort" },
      passed: [],
      istiod: { by: "nodePort", service: "istiod", nodeAddress: "10.0.0.1" },
    });
  });

  it("LoadBalancer: leaves istiod's own Service inside the cluster, and finds it at the gateway", () => {
    assert.deepEqual(exposureOf({ type: "LoadBalancer" }), {
      serviceTypes: { istiod: "ClusterIP", "istio-ingressgateway": "LoadBalancer" },
      passed: [
        { name: "tls-istiod", gateway: 15012, istiod: 15012 },
        { name: "tls-webhook", gateway: 15017, istiod: 443 },
      ],
      istiod: { by: "loadBalancer", service: "istio-ingressgateway", port: 15012 },
    });
  });
});
