import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { type HostState, renderState, sha256 } from "../../../mesh/hostState";

it("renderState has each fact on a line of its own", () => {
  const facts: HostState = {
    name: "vm1",
    owner: "0123",
    identity: "spiffe://cluster.local/ns/vm/sa/default",
    packageSha256: "aa",
    packageSource: "https://example.org/a.deb",
    istiodAddress: "192.168.17.150",
    istiodPort: 31794,
    notBefore: new Date("2026-01-01T00:00:00Z"),
    notAfter: new Date("2027-01-01T00:00:00.999Z"),
    hostsEntry: "192.168.17.150 istiod.istio-system.svc",
    clusterEnv: ["ISTIO_NAMESPACE=vm", 'A="b c"'],
    sidecarEnv: ["ISTIO_SVC_IP=10.0.0.1"],
    files: [
      { path: "/etc/certs/key.pem", mode: "0600", source: "of-certificate:bb" },
      { path: "/etc/hosts", mode: "-", source: "block:hosts", restart: true },
    ],
    scripts: "sha256:cc",
  };
  assert.equal(
    renderState(facts),
    `host vm1
owner 0123
identity spiffe://cluster.local/ns/vm/sa/default
package aa https://example.org/a.deb
istiod 192.168.17.150 31794
not-before 1767225600 2026-01-01T00:00:00Z
not-after 1798761600 2027-01-01T00:00:00.999Z
hosts 192.168.17.150 istiod.istio-system.svc
cluster.env ISTIO_NAMESPACE=vm
cluster.env A="b c"
sidecar.env ISTIO_SVC_IP=10.0.0.1
file 0600 /etc/certs/key.pem of-certificate:bb
file - /etc/hosts block:hosts restart
scripts sha256:cc`,
  );
  const run = new Date("2026-02-03T04:05:06.789Z");
  assert.equal(renderState({ ...facts, run }), `${renderState(facts)}\nrun 2026-02-03T04:05:06.789Z`);
});

it("sha256 is that of the text's UTF-8", () => {
  assert.equal(sha256("é\n"), execFileSync("sha256sum", { input: "é\n", encoding: "utf8" }).split(" ")[0]);
});
