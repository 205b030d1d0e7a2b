import assert from "node:assert/strict";
import { NetworkGateway } from "../../../components/networkGateway";
import { NetworkRoute } from "../../../components/networkRoute";
import { gatewayVariables } from "../../../mesh/networkGateway";
import { runProgram } from "../support";

const OWNER = { "pulumi-istio-vm/owner": "me" };

describe("a gateway into another network", () => {
  const args = { host: "gw", namespace: "vm", owner: "me" };
  let find: Awaited<ReturnType<typeof runProgram>>["find"];
  before(async () => {
    ({ find } = await runProgram(() => {
      const gateway = new NetworkGateway("gw-gateway", { ...args, clusterDomain: "example.org" });
      new NetworkRoute("gw-route", { ...args, address: "192.0.2.10", network: "site-b" }, { dependsOn: gateway });
    }));
  });

  it("passes mutual TLS on, to services of the mesh, and only the host that is it does", () => {
    const { spec, metadata } = find("gw-gateway-cross-network").inputs as { spec: object; metadata: object };
    assert.deepEqual(metadata, { name: "gw-gateway", namespace: "vm", labels: OWNER });
    const selector = { "pulumi-istio-vm/host": "gw" };
    assert.deepEqual(spec, {
      selector,
      servers: [
        {
          port: { name: "tls", number: 15443, protocol: "TLS" },
          tls: { mode: "AUTO_PASSTHROUGH" },
          hosts: ["*.example.org"],
        },
      ],
    });
  });

  it("is what istiod sends other networks to, by a Service that kube-proxy makes nothing of", () => {
    assert.deepEqual(find("gw-route-service").inputs, {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "gw-gateway", namespace: "vm", labels: { ...OWNER, "topology.istio.io/network": "site-b" } },
      spec: {
        clusterIP: "None",
        externalIPs: ["192.0.2.10"],
        ports: [{ name: "tls", port: 15443, targetPort: 15443, protocol: "TCP" }],
      },
    });
  });

  it("is a router, for its own network alone", () =>
    assert.deepEqual(gatewayVariables("site-b"), {
      ISTIO_AGENT_FLAGS: "router",
      ISTIO_META_REQUESTED_NETWORK_VIEW: "site-b",
    }));
});
