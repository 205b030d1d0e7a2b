import assert from "node:assert/strict";
import type { Config } from "../../../config";
import type { ClusterObject } from "../../../diagnosis/clusterObjects";
import { exposedServices, findExposed } from "../../../diagnosis/exposed";
import { healthyFacts } from "./checks/facts";

describe("the Services by which hosts reach istiod", () => {
  const of = async (exposure: Config["exposure"], installed = false) => {
    const { config, outputs } = await healthyFacts();
    const { default: usual } = outputs!.controlPlanes;
    outputs!.controlPlanes.canary = { ...usual!, service: "istiod-canary", namespace: "mesh" };
    outputs!.controlPlanes.canary.istiod = { ...usual!.istiod, port: 31795 };
    const controlPlane = installed ? config!.controlPlane : { existing: { revision: "default" } };
    return exposedServices({ ...config!, controlPlane, exposure }, outputs!).map(
      ({ service, namespace, told }) => `${namespace}/${service} ${told}`,
    );
  };
  const nodeAddresses = ["192.0.2.10"];

  it("are those of every istiod, or ours beside them, with a node port each", async () => {
    const exposure: Config["exposure"] = { type: "NodePort", nodeAddresses };
    assert.deepEqual(await of(exposure, true), ["istio-system/istiod 31794", "mesh/istiod-canary 31795"]);
    assert.deepEqual(await of(exposure), ["istio-system/istiod-vm 31794", "mesh/istiod-canary-vm 31795"]);
  });

  it("are a gateway's, whose node port hosts are told only without a load balancer", async () => {
    const gateway = { service: "edge", namespace: "gateways" };
    assert.deepEqual(await of({ type: "LoadBalancer", gateway }), ["gateways/edge undefined"]);
    const ours: Config["exposure"] = { type: "EastWestGateway", namespace: "istio-vm" };
    assert.deepEqual(await of(ours), ["istio-vm/istio-vm-gateway undefined"]);
    assert.deepEqual(await of({ ...ours, nodeAddresses }), ["istio-vm/istio-vm-gateway 31794"]);
  });

  it("are none where somebody else made the way", async () => {
    assert.deepEqual(await of({ type: "Address", address: "192.0.2.10", port: 15012 }), []);
  });

  it("are found by name and namespace, with istiod's port if they have it", () => {
    const service = (namespace: string, name: string, ...ports: { port: number; nodePort?: number }[]) =>
      ({ kind: "Service", metadata: { namespace, name }, spec: { ports } }) satisfies ClusterObject;
    const wanted = ["a", "b", "c", "gone"].map((name) => ({ service: name, namespace: "mesh" }));
    const found = findExposed(wanted, [
      service("mesh", "a", { port: 15010, nodePort: 1 }, { port: 15012, nodePort: 2 }),
      service("mesh", "b", { port: 15012 }),
      service("mesh", "c", { port: 80 }),
      service("other", "gone", { port: 15012 }),
      service("mesh", "more", { port: 15012 }),
    ]);
    assert.deepEqual(
      found.map(({ service, port }) => [service, port]),
      [
        ["a", { nodePort: 2 }],
        ["b", { nodePort: undefined }],
        ["c", undefined],
      ],
    );
  });
});
