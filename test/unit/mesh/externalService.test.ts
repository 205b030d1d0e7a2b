import assert from "node:assert/strict";
import {
  portName,
  PROTOCOLS,
  serviceEntrySpec,
  serviceHost,
  serviceSpec,
  namesByNamespace,
  servicesOf,
  serviceUrl,
  type ServicePort,
} from "../../../mesh/externalService";

const ports: ServicePort[] = [
  { port: 80, targetPort: 8080, protocol: "HTTP" },
  { port: 3306, protocol: "TCP" },
];

it("serviceEntrySpec selects by the service's own label", () => {
  assert.deepEqual(serviceEntrySpec("mysql.vm.svc.cluster.local", "mysql", ports, []), {
    hosts: ["mysql.vm.svc.cluster.local"],
    location: "MESH_INTERNAL",
    resolution: "STATIC",
    ports: [
      { name: "http-80", number: 80, protocol: "HTTP", targetPort: 8080 },
      { name: "tcp-3306", number: 3306, protocol: "TCP", targetPort: 3306 },
    ],
    workloadSelector: { labels: { "serves.pulumi-istio-vm/mysql": "true" } },
  });
});

it("a host's services are found, and their names by namespace", () => {
  const service = (namespace: string, name: string, ...hosts: string[]) => ({ namespace, name, hosts });
  const services = [
    service("vm", "b", "h", "i"),
    service("db", "c", "h"),
    service("vm", "a", "h"),
    service("x", "d", "i"),
  ];
  assert.deepEqual(
    [...namesByNamespace(servicesOf("h", services))],
    [
      ["vm", ["b", "a"]],
      ["db", ["c"]],
    ],
  );
  assert.deepEqual(servicesOf("none", services), []);
});

it("serviceSpec has no selector, and the same names", () => {
  assert.deepEqual(serviceSpec(ports), {
    ports: [
      { name: "http-80", port: 80, targetPort: 8080, protocol: "TCP" },
      { name: "tcp-3306", port: 3306, targetPort: 3306, protocol: "TCP" },
    ],
  });
});

it("serviceSpec asks for addresses of both families only where sidecars take both", () => {
  assert.equal("ipFamilyPolicy" in serviceSpec(ports), false);
  assert.deepEqual(serviceSpec(ports, true), { ipFamilyPolicy: "PreferDualStack", ...serviceSpec(ports) });
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
