import assert from "node:assert/strict";
import {
  type ClusterEnvironment,
  clusterEnv,
  hostsEntries,
  RESERVED_VARIABLES,
  sidecarEnv,
} from "../../../mesh/environment";

/** The values of Istio's own tutorial on mesh expansion. */
const tutorial: ClusterEnvironment = {
  serviceCidr: "10.32.0.0/24",
  inboundPorts: [3306, 8080],
  istiod: { addresses: ["192.168.17.150"], port: 31794, name: "istiod.istio-system.svc" },
  namespace: "vm",
  serviceAccount: "default",
  proxyName: "vm1",
  trustDomain: "cluster.local",
  clusterName: "Kubernetes",
  sshPort: 22,
  byCertificate: false,
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
      "PROXY_CONFIG_XDS_AGENT=true",
      "ISTIO_LOCAL_EXCLUDE_PORTS=22,15020,15021,15090",
    ]);
  });

  for (const [what, change, line] of [
    ["all traffic", { serviceCidr: "*" }, "ISTIO_SERVICE_CIDR=*"],
    ["two ranges", { serviceCidr: "10.32.0.0/24,fd00::/108" }, "ISTIO_SERVICE_CIDR=10.32.0.0/24,fd00::/108"],
    ["all ports", { inboundPorts: "*" }, "ISTIO_INBOUND_PORTS=*"],
    ["a certificate that was sent", { byCertificate: true }, "PROV_CERT=/var/lib/istio/identity"],
    ["the root that the agent keeps", { byCertificate: true }, "CA_ROOT_CA=/etc/certs/root-cert.pem"],
    ["no port", { inboundPorts: [] }, "ISTIO_INBOUND_PORTS="],
    ["nothing that goes out", { capture: "inbound" }, "ISTIO_SERVICE_CIDR="],
    ["the inbound ports alone", { capture: "inbound" }, "ISTIO_INBOUND_PORTS=3306,8080"],
    ["no port where nothing is captured", { capture: "none", inboundPorts: "*" }, "ISTIO_INBOUND_PORTS="],
    ["no range where nothing is captured", { capture: "none" }, "ISTIO_SERVICE_CIDR="],
    ["no rules where nothing is captured", { capture: "none" }, "ISTIO_CUSTOM_IP_TABLES=true"],
    ["both families where istiod serves both", { dualStack: true }, "ISTIO_DUAL_STACK=true"],
    ["another SSH port beside 22", { sshPort: 2222 }, "ISTIO_LOCAL_EXCLUDE_PORTS=22,2222,15020,15021,15090"],
  ] as const) {
    it(`has ${what}`, () => {
      const lines = clusterEnv({ ...tutorial, ...change } as ClusterEnvironment);
      assert.ok(lines.includes(line), lines.join("\n"));
    });
  }
});

describe("where istiod is", () => {
  const name = "istiod.istio-system.svc";
  const linesOf = (istiod: ClusterEnvironment["istiod"]) => ({
    variables: clusterEnv({ ...tutorial, istiod }).filter((line) => /PILOT|ISTIOD|CA_ADDR/.test(line)),
    hosts: hostsEntries(istiod),
  });

  it("has a hosts entry for each address, under the name that istiod's certificate has", () =>
    assert.deepEqual(linesOf({ addresses: ["10.0.0.1", "fd00::1"], port: 31794, name }), {
      variables: ["ISTIO_PILOT_PORT=31794"],
      hosts: [`10.0.0.1 ${name}`, `fd00::1 ${name}`],
    }));

  it("is that of a revision under its own name", () =>
    assert.deepEqual(linesOf({ addresses: ["10.0.0.1"], port: 15012, name: "istiod-canary.istio-system.svc" }), {
      variables: ["PILOT_ADDRESS=istiod-canary.istio-system.svc:15012"],
      hosts: ["10.0.0.1 istiod-canary.istio-system.svc"],
    }));

  it("needs no hosts entry where it is dialled by a name of its own, and is verified as istiod all the same", () =>
    assert.deepEqual(linesOf({ addresses: ["lb.example.com"], port: 15012, name }), {
      // The agent verifies the CA by ISTIOD_SAN only if it has no CA_ADDR.
      variables: ["PILOT_ADDRESS=lb.example.com:15012", `ISTIOD_SAN=${name}`, 'ISTIO_NAMESPACE="vm CA_ADDR="'],
      hosts: [],
    }));

  it("says in which network the host is, where networks have names", () =>
    assert.ok(clusterEnv({ ...tutorial, network: "dc1" }).includes("ISTIO_META_NETWORK=dc1")));
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
  const istiod = { ...tutorial.istiod, addresses: ["lb.example.com"] };
  const named = clusterEnv({ ...tutorial, istiod, network: "dc1", dualStack: true, byCertificate: true });
  const lines = [
    ...new Set([...clusterEnv(tutorial), ...named]),
    ...sidecarEnv({ address: "::1", labels: { app: "a" }, extra: {} }),
  ];
  // CA_ADDR is what PILOT_ADDRESS says, unless somebody sets it.
  const names = new Set([...lines.map((line) => line.split("=")[0]), "CA_ADDR"]);
  assert.deepEqual([...names].sort(), [...RESERVED_VARIABLES].sort());
});
