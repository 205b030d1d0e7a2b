import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { type HostSpec, hostState } from "../../../mesh/hostState";
import { sha256 } from "../../../mesh/digest";
import { certificate } from "../support";

describe("hostState", () => {
  it("has each fact on a line of its own", async () => {
    const spec: HostSpec = {
      name: "vm1",
      owner: "0123",
      identity: "spiffe://cluster.local/ns/vm/sa/default",
      rootCert: "root",
      certChain: await certificate({}),
      packages: [
        { format: "deb", architecture: "amd64", sha256: "aa", source: "https://example.org/a.deb" },
        { format: "rpm", architecture: "arm64", sha256: "bb", source: "sent" },
      ],
      istiod: { addresses: ["192.168.17.150"], port: 31794, name: "istiod.istio-system.svc" },
      mesh: { serviceCidr: "10.96.0.0/16", trustDomain: "cluster.local", clusterName: "east" },
      workload: { namespace: "vm", serviceAccount: "web", inboundPorts: [8080] },
      sshPort: 2222,
      sidecar: { address: "10.0.0.1", labels: {}, extra: { A: "b c" } },
      scripts: { "istio-vm": "exit" },
    };
    const digest = (text: string) => sha256(text).slice(0, 16);
    assert.equal(
      hostState(spec),
      `host vm1
owner 0123
identity spiffe://cluster.local/ns/vm/sa/default
package deb amd64 aa https://example.org/a.deb
package rpm arm64 bb sent
istiod 31794 istiod.istio-system.svc 192.168.17.150
not-before 1767225600 2026-01-01T00:00:00Z
not-after 1798761600 2027-01-01T00:00:00Z
hosts 192.168.17.150 istiod.istio-system.svc
cluster.env ISTIO_SERVICE_CIDR=10.96.0.0/16
cluster.env ISTIO_INBOUND_PORTS=8080
cluster.env ISTIO_PILOT_PORT=31794
cluster.env ISTIO_NAMESPACE=vm
cluster.env SERVICE_ACCOUNT=web
cluster.env POD_NAME=vm1
cluster.env TRUST_DOMAIN=cluster.local
cluster.env ISTIO_META_CLUSTER_ID=east
cluster.env PROV_CERT=/var/lib/istio/identity
cluster.env OUTPUT_CERTS=/etc/certs
cluster.env CA_ROOT_CA=/etc/certs/root-cert.pem
cluster.env PROXY_CONFIG_XDS_AGENT=true
cluster.env ISTIO_LOCAL_EXCLUDE_PORTS=22,2222,15020,15021,15090
sidecar.env ISTIO_SVC_IP=10.0.0.1
sidecar.env A="b c"
file 0644 /var/lib/istio/envoy/cluster.env lines:cluster.env restart
file 0644 /var/lib/istio/envoy/sidecar.env lines:sidecar.env restart
file - /etc/hosts block:hosts restart
file 0644 /etc/certs/root-cert.pem roots:${digest("root")}
file 0644 /etc/certs/cert-chain.pem certificate:spiffe://cluster.local/ns/vm/sa/default
file 0600 /etc/certs/key.pem certificate:spiffe://cluster.local/ns/vm/sa/default
file 0644 /var/lib/istio/identity/cert-chain.pem sha256:${digest(spec.certChain!)}
file 0600 /var/lib/istio/identity/key.pem of-certificate:${digest(spec.certChain!)}
scripts sha256:${digest('{"istio-vm":"exit"}')}`,
    );
    const run = new Date("2026-02-03T04:05:06.789Z");
    assert.equal(hostState({ ...spec, run }), `${hostState(spec)}\nrun 2026-02-03T04:05:06.789Z`);
    // What a mesh.yaml of before says must not go on to count.
    assert.equal(
      hostState({ ...spec, adopt: true }),
      `${hostState(spec).replace("\nscripts", "\nfile 0644 /etc/istio/config/mesh lines:mesh restart\nscripts")}\nadopt yes`,
    );
  });
});

it("sha256 is that of the text's UTF-8", () => {
  assert.equal(sha256("é\n"), execFileSync("sha256sum", { input: "é\n", encoding: "utf8" }).split(" ")[0]);
});
