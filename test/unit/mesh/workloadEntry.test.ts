import assert from "node:assert/strict";
import { probeVariables, type ReadinessProbe } from "../../../mesh/readinessProbe";
import { servesLabels, workloadEntrySpec, workloadLabels } from "../../../mesh/workloadEntry";

describe("WorkloadEntry", () => {
  it("has mutual TLS and an identity, whatever its labels say", () => {
    const labels = { app: "a", "security.istio.io/tlsMode": "disabled" };
    assert.deepEqual(workloadEntrySpec({ address: "10.0.0.1", serviceAccount: "sa", labels }), {
      address: "10.0.0.1",
      serviceAccount: "sa",
      labels: { app: "a", "security.istio.io/tlsMode": "istio" },
    });
  });

  it("has network, weight and locality where they are known", () => {
    const more = { network: "n", weight: 3, locality: "r/z" };
    const spec = workloadEntrySpec({ address: "10.0.0.1", serviceAccount: "sa", labels: {}, ...more });
    assert.deepEqual(spec, { ...spec, ...more });
  });

  it("has a label for each service", () => {
    assert.deepEqual(servesLabels(["a", "b"]), {
      "serves.pulumi-istio-vm/a": "true",
      "serves.pulumi-istio-vm/b": "true",
    });
  });

  it("workloadLabels say which host it is, and where, without a slash, which a label can't have", () => {
    const host = { name: "h", labels: { app: "a" }, gateway: false };
    const own = { app: "a", "pulumi-istio-vm/host": "h" };
    assert.deepEqual(workloadLabels(host), own);
    assert.deepEqual(workloadLabels({ ...host, locality: "r/z/s" }), { ...own, "istio-locality": "r.z.s" });
    const gateway = { ...host, gateway: true, network: "n" };
    assert.deepEqual(workloadLabels(gateway), { ...own, "topology.istio.io/network": "n" });
  });

  it("probeVariables are of one line each, the probe in YAML", () => {
    const probe = { tcpSocket: { port: 3306 }, periodSeconds: 5 } as ReadinessProbe;
    assert.deepEqual(probeVariables("h", probe), {
      ISTIO_META_WORKLOAD_ENTRY: "h",
      PROXY_CONFIG: 'readinessProbe: {"tcpSocket":{"port":3306},"periodSeconds":5}',
    });
  });
});
