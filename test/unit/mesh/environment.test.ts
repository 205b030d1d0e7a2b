import assert from "node:assert/strict";
import {
  type ClusterEnvironment,
  clusterEnv,
  hostsEntry,
  RESERVED_VARIABLES,
  sidecarEnv,
} from "../../../mesh/environment";

/** The values of Istio's own tutorial on mesh expansion. */
const tutorial: ClusterEnvironment = {
  serviceCidr: "10.32.0.0/24",
  inboundPorts: [3306, 8080],
  pilotPort: 31794,
  namespace: "vm",
  serviceAccount: "default",
  proxyName: "vm1",
  trustDomain: "cluster.local",
  clusterName: "Kubernetes",
  sshPort: 22,
};

describe("cluster.env", () => {
  it("begins with the tutorial's three lines; the identity follows", () => {
    assert.deepEqual(clusterEnv(tutorial), [
      "ISTIO_SERVICE_CIDR=10.32.0.0/24",
      "ISTIO_INBOUND_PORTS=3306,8080",
      "ISTIO_PILOT_PORT=31794",
      "ISTIO_NAMESPACE=vm",
      "SERVICE_ACCOUNT=default",
      "POD_NAME=vm1",
      "TRUST_DOMAIN=cluster.local",
      "ISTIO_META_CLUSTER_ID=Kubernetes",
      "ISTIO_LOCAL_EXCLUDE_PORTS=22,15020,15021,15090",
    ]);
  });

  for (const [what, change, line] of [
    ["all traffic", { serviceCidr: "*" }, "ISTIO_SERVICE_CIDR=*"],
    ["two ranges", { serviceCidr: "10.32.0.0/24,fd00::/108" }, "ISTIO_SERVICE_CIDR=10.32.0.0/24,fd00::/108"],
    ["all ports", { inboundPorts: "*" }, "ISTIO_INBOUND_PORTS=*"],
    ["no port", { inboundPorts: [] }, "ISTIO_INBOUND_PORTS="],
    ["another SSH port beside 22", { sshPort: 2222 }, "ISTIO_LOCAL_EXCLUDE_PORTS=22,2222,15020,15021,15090"],
  ] as const) {
    it(`has ${what}`, () => {
      const lines = clusterEnv({ ...tutorial, ...change } as ClusterEnvironment);
      assert.ok(lines.includes(line), lines.join("\n"));
    });
  }
});

describe("sidecar.env", () => {
  it("has the address, then labels and variables in a stable order", () => {
    const extra = { ISTIO_META_DNS_CAPTURE: "true", A: "two words" };
    const lines = sidecarEnv({ address: "10.0.0.1", labels: { version: "v1", app: "mysql" }, extra });
    assert.deepEqual(lines, [
      "ISTIO_SVC_IP=10.0.0.1",
      String.raw`ISTIO_METAJSON_LABELS="{\"app\":\"mysql\",\"version\":\"v1\"}"`,
      `A="two words"`,
      "ISTIO_META_DNS_CAPTURE=true",
    ]);
    assert.deepEqual(sidecarEnv({ address: "10.0.0.1", labels: { app: "mysql", version: "v1" }, extra }), lines);
    assert.deepEqual(sidecarEnv({ address: "::1", labels: {}, extra: {} }), ["ISTIO_SVC_IP=::1"]);
  });
});

it("RESERVED_VARIABLES are exactly those that the program sets", () => {
  const lines = [...clusterEnv(tutorial), ...sidecarEnv({ address: "::1", labels: { app: "a" }, extra: {} })];
  assert.deepEqual(lines.map((line) => line.split("=")[0]).sort(), [...RESERVED_VARIABLES].sort());
});

it("hostsEntry gives istiod the name in its certificate", () => {
  assert.equal(hostsEntry("192.168.17.150"), "192.168.17.150 istiod.istio-system.svc");
});
