import assert from "node:assert/strict";
import { DNS_UNIT, DNS_UNIT_LINES, withAllocated } from "../../../mesh/dns";
import { clusterEnv } from "../../../mesh/environment";
import { fileLines } from "../../../mesh/hostState";

describe("names of the mesh on a host", () => {
  for (const [ranges, all] of [
    ["10.96.0.0/16", "10.96.0.0/16,240.240.0.0/16"],
    ["fd00:10:96::/112", "fd00:10:96::/112,2001:2::/48"],
    ["10.96.0.0/16,fd00:10:96::/112", "10.96.0.0/16,fd00:10:96::/112,240.240.0.0/16,2001:2::/48"],
    ["*", "*"],
  ]) {
    it(`goes with what istiod allocates to services without an address, beside ${ranges}`, () =>
      assert.equal(withAllocated(ranges!), all));
  }

  const lines = (dns: boolean, address: string) =>
    clusterEnv({
      serviceCidr: "10.96.0.0/16",
      inboundPorts: [8080],
      istiod: { addresses: [address], port: 15012, name: "istiod.istio-system.svc" },
      namespace: "vm",
      serviceAccount: "vm1",
      proxyName: "vm1",
      trustDomain: "cluster.local",
      clusterName: "Kubernetes",
      sshPort: 22,
      byCertificate: false,
      dns,
    }).filter((line) => /DNS|NAMESPACE|CIDR/.test(line));

  it("is told to the agent alone: by rules of Istio's own, look-ups would go to an agent that can't answer", () =>
    assert.deepEqual(lines(true, "192.0.2.1"), [
      "ISTIO_SERVICE_CIDR=10.96.0.0/16,240.240.0.0/16",
      'ISTIO_NAMESPACE="vm ISTIO_META_DNS_CAPTURE=true"',
    ]));

  it("stands beside what else only the agent is to hear", () =>
    assert.equal(lines(true, "istiod.example.com")[1], 'ISTIO_NAMESPACE="vm CA_ADDR= ISTIO_META_DNS_CAPTURE=true"'));

  it("is nothing without it", () =>
    assert.deepEqual(lines(false, "192.0.2.1"), ["ISTIO_SERVICE_CIDR=10.96.0.0/16", "ISTIO_NAMESPACE=vm"]));

  it("brings a unit, which is in no file without it", () => {
    const files = (dns: boolean) => fileLines({ identity: "spiffe://a/ns/b/sa/c", rootCert: "root", dns }).join("\n");
    assert.match(files(true), new RegExp(`^0644 ${DNS_UNIT} lines:dns$`, "m"));
    assert.doesNotMatch(files(false), /dns/);
  });

  it("has a unit each line of which a state can have", () =>
    DNS_UNIT_LINES.forEach((line) => assert.match(line, /^\S.*$/)));
});
