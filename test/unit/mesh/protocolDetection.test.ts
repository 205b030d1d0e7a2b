import assert from "node:assert/strict";
import { HOST_LABEL } from "../../../mesh/kubernetesObject";
import { detectionFilterSpec, mayWaitForServer } from "../../../mesh/protocolDetection";
import type { ServicePort } from "../../../mesh/externalService";

const waits = (inboundPorts: number[] | "*", ...ports: ServicePort[]) =>
  mayWaitForServer({ name: "vm1", inboundPorts }, [{ hosts: ["vm1"], ports }]);

describe("where a server may speak first", () => {
  for (const [what, found, expected] of [
    ["a port of HTTP", waits([8080], { port: 80, targetPort: 8080, protocol: "HTTP" }), false],
    ["a port of TLS", waits([443], { port: 443, protocol: "TLS" }), false],
    ["a port of TCP", waits([8080, 3306], { port: 8080, protocol: "HTTP" }, { port: 3306, protocol: "TCP" }), true],
    ["a port of no service", waits([8080, 3306], { port: 8080, protocol: "HTTP" }), true],
    ["all ports", waits("*", { port: 8080, protocol: "HTTP" }), true],
    ["no port", waits([]), false],
  ] as const) {
    it(`${what}: ${expected ? "it may" : "it does not"}`, () => assert.equal(found, expected));
  }

  it("does not count what another host says of the port", () =>
    assert.equal(
      mayWaitForServer({ name: "vm1", inboundPorts: [80] }, [
        { hosts: ["vm2"], ports: [{ port: 80, protocol: "HTTP" }] },
      ]),
      true,
    ));

  it("is met by a filter for that host's sidecar alone", () =>
    assert.deepEqual(detectionFilterSpec("vm1").workloadSelector, { labels: { [HOST_LABEL]: "vm1" } }));
});
