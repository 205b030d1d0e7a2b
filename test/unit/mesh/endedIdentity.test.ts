import assert from "node:assert/strict";
import { endedIdentityIn, endedIdentityPolicy, endedName } from "../../../mesh/endedIdentity";

const ID = "spiffe://example.org/ns/vm/sa/vm1";

describe("an identity that has ended", () => {
  const policy = endedIdentityPolicy({ host: "vm1", identity: ID }, { owner: "0123", rootNamespace: "istio-system" });

  it("is refused by all that is in the mesh, whoever has it", () => {
    const { kind, metadata, spec } = policy;
    assert.deepEqual(
      [kind, metadata.namespace, metadata.labels],
      ["AuthorizationPolicy", "istio-system", { "pulumi-istio-vm/owner": "0123" }],
    );
    // Without a selector, and without anything of HTTP, for which a DENY would not count for TCP.
    assert.deepEqual(spec, {
      action: "DENY",
      rules: [{ from: [{ source: { principals: ["example.org/ns/vm/sa/vm1"] } }] }],
    });
  });

  it("has a name of its own for each stack and identity, which Kubernetes takes", () => {
    const names = [endedName(ID, "a"), endedName(ID, "b"), endedName(`${ID}0`, "a")];
    assert.equal(new Set(names).size, 3);
    for (const name of names) assert.match(name, /^istio-vm-ended-[0-9a-f]{10}$/);
    assert.equal(policy.metadata.name, endedName(ID, "0123"));
  });

  it("is told by its policy, and by no other", () => {
    const since = "2026-06-01T12:00:00Z";
    const { metadata } = policy;
    assert.deepEqual(endedIdentityIn({ ...policy, metadata: { ...metadata, creationTimestamp: since } }), {
      host: "vm1",
      identity: ID,
      since: new Date(since),
    });
    const others = { ...metadata, creationTimestamp: since, annotations: { some: "thing" } };
    assert.equal(endedIdentityIn({ ...policy, metadata: others }), undefined);
  });
});
