import assert from "node:assert/strict";
import {
  portName,
  PROTOCOLS,
  serviceEntrySpec,
  serviceHost,
  serviceSpec,
  serviceUrl,
  type ServicePort,
} from "../../../mesh/externalService";

const ports: ServicePort[] = [
  { port: 80, targetPort: 8080, protocol: "HTTP" },
  { port: 3306, protocol: "TCP" },
];

it("serviceEntrySpec has mutual TLS and an identity for every endpoint", () => {
  const endpoint = (n: number, labels: Record<string, string>) => ({
    address: `10.0.0.${n}`,
    serviceAccount: `sa${n}`,
    labels,
  });
  const endpoints = [
    endpoint(1, { app: "mysql" }),
    endpoint(2, { "security.istio.io/tlsMode": "disabled" }),
    endpoint(3, {}),
  ];
  const tlsMode = { "security.istio.io/tlsMode": "istio" };
  assert.deepEqual(serviceEntrySpec("mysql.vm.svc.cluster.local", ports, endpoints), {
    hosts: ["mysql.vm.svc.cluster.local"],
    location: "MESH_INTERNAL",
    resolution: "STATIC",
    ports: [
      { name: "http-80", number: 80, protocol: "HTTP", targetPort: 8080 },
      { name: "tcp-3306", number: 3306, protocol: "TCP", targetPort: 3306 },
    ],
    endpoints: [
      { address: "10.0.0.1", serviceAccount: "sa1", labels: { app: "mysql", ...tlsMode } },
      { address: "10.0.0.2", serviceAccount: "sa2", labels: tlsMode },
      { address: "10.0.0.3", serviceAccount: "sa3", labels: tlsMode },
    ],
  });
});

it("serviceSpec has no selector, and the same names", () => {
  assert.deepEqual(serviceSpec(ports), {
    ports: [
      { name: "http-80", port: 80, targetPort: 8080, protocol: "TCP" },
      { name: "tcp-3306", port: 3306, targetPort: 3306, protocol: "TCP" },
    ],
  });
});

it("names and URLs", () => {
  const host = serviceHost("mysql", "vm", "example.org");
  assert.equal(host, "mysql.vm.svc.example.org");
  const scheme = {
    HTTP: "http",
    HTTP2: "http",
    HTTPS: "https",
    GRPC: "grpc",
    TCP: "tcp",
    TLS: "tls",
    MONGO: "mongodb",
  };
  for (const protocol of PROTOCOLS) {
    assert.equal(serviceUrl(host, { protocol, port: 1 }), `${scheme[protocol]}://${host}:1`);
    assert.equal(portName({ protocol, port: 1 }), `${protocol.toLowerCase()}-1`);
  }
});
