import assert from "node:assert/strict";
import { type MutualTlsMode, type PeerAuthentication, peerPolicyAt } from "../../../diagnosis/peerAuthentication";

type Spec = NonNullable<PeerAuthentication["spec"]>;
type Mode = MutualTlsMode | "UNSET";

const policy = (place: string, spec: Spec = {}, creationTimestamp = "2026-01-01T00:00:00Z"): PeerAuthentication => {
  const [namespace = "", name = ""] = place.split("/");
  return { metadata: { namespace, name, creationTimestamp }, spec };
};
const says = (mode: Mode, app?: string): Spec => ({
  mtls: { mode },
  ...(app === undefined ? {} : { selector: { matchLabels: { app } } }),
});

describe("the PeerAuthentication that counts", () => {
  const at = (policies: PeerAuthentication[], port = 8080, namespace = "vm") =>
    peerPolicyAt(port, { namespace, labels: { app: "orders", tier: "1" } }, policies, ["istio-system"]);

  it("is none, and Istio's default PERMISSIVE, where there is none for the workload", () => {
    const others = [policy("other/a", says("STRICT")), policy("vm/b", says("STRICT", "bills"))];
    for (const policies of [[], others]) assert.deepEqual(at(policies), { mode: "PERMISSIVE" });
  });

  const mesh = policy("istio-system/mesh", says("STRICT"));
  const namespace = policy("vm/namespace", says("PERMISSIVE"));
  const workload = policy("vm/workload", says("DISABLE", "orders"));
  const port = policy("vm/workload", { ...says("DISABLE", "orders"), portLevelMtls: { "8080": { mode: "STRICT" } } });

  it("is the narrowest: of the mesh, the namespace, the workload, the port", () => {
    assert.deepEqual(at([mesh]), { mode: "STRICT", by: "istio-system/mesh" });
    assert.deepEqual(at([mesh, namespace]), { mode: "PERMISSIVE", by: "vm/namespace" });
    assert.deepEqual(at([workload, mesh, namespace]), { mode: "DISABLE", by: "vm/workload" });
    assert.deepEqual(at([port, mesh, namespace]), { mode: "STRICT", by: "vm/workload" });
    assert.deepEqual(at([port], 9090), { mode: "DISABLE", by: "vm/workload" });
  });

  it("is the next wider one where a narrow one says nothing", () => {
    const unset = policy("vm/workload", { ...says("UNSET", "orders"), portLevelMtls: { "8080": { mode: "UNSET" } } });
    assert.deepEqual(at([unset, namespace, mesh]), { mode: "PERMISSIVE", by: "vm/namespace" });
    assert.deepEqual(at([policy("vm/empty"), mesh]), { mode: "STRICT", by: "istio-system/mesh" });
  });

  it("is the oldest of several for the same, of those of a second the first by name", () => {
    const newer = policy("vm/a", says("DISABLE"), "2026-02-01T00:00:00Z");
    assert.equal(at([newer, namespace]).by, "vm/namespace");
    assert.equal(at([namespace, policy("vm/b", says("STRICT"))]).by, "vm/b");
  });

  it("is never one for some workloads in the mesh's root namespace", () => {
    const selecting = policy("istio-system/some", says("STRICT", "orders"));
    assert.deepEqual(at([selecting]), { mode: "PERMISSIVE" });
    assert.deepEqual(at([selecting], 8080, "istio-system"), { mode: "PERMISSIVE" });
  });

  it("is one for ports only of those whom it selects", () => {
    const all = policy("vm/all", { mtls: { mode: "PERMISSIVE" }, portLevelMtls: { "8080": { mode: "STRICT" } } });
    assert.deepEqual(at([all]), { mode: "PERMISSIVE", by: "vm/all" });
  });
});
