import assert from "node:assert/strict";
import { accessTo, type AuthorizationPolicy } from "../../../diagnosis/access";

const policy = (namespace: string, spec: AuthorizationPolicy["spec"]): AuthorizationPolicy => ({
  metadata: { name: "p", namespace },
  spec,
});
const from = (...principals: string[]) => [{ from: [{ source: { principals } }] }];

describe("accessTo", () => {
  const labels = { app: "orders" };
  const accessOf = (policies: AuthorizationPolicy[], root = "istio-system") =>
    accessTo({ namespace: "vm", labels }, policies, root);

  it("is everybody's without a policy, or with one for something else", () => {
    const others = [
      policy("other", { rules: from("a") }),
      policy("vm", { selector: { matchLabels: { app: "bills" } }, rules: from("a") }),
    ];
    for (const policies of [[], others]) {
      assert.deepEqual(accessOf(policies), { everybody: true, allowed: [], denied: [] });
    }
  });

  it("is for those whom ALLOW policies name: of the namespace, of the workload, of the root namespace", () => {
    const policies = [
      policy("vm", { rules: from("ns/a") }),
      policy("vm", { selector: { matchLabels: labels }, action: "ALLOW", rules: from("workload/b", "ns/a") }),
      policy("istio-system", { rules: [{ from: [{ source: { namespaces: ["c"] } }], to: [{}] }] }),
    ];
    assert.deepEqual(accessOf(policies), {
      everybody: false,
      allowed: ["ns/a", "workload/b", "namespace c (some requests)"],
      denied: [],
    });
  });

  it("is by the policies of the root namespace, wherever that is", () => {
    const policies = [policy("istio-system", { rules: from("a") }), policy("mesh", { rules: from("b") })];
    assert.deepEqual(accessOf(policies, "mesh").allowed, ["b"]);
  });

  it("is nobody's with an ALLOW policy without rules", () => {
    assert.deepEqual(accessOf([policy("vm", {})]), { everybody: false, allowed: [], denied: [] });
  });

  it("leaves everybody in but those whom DENY policies name", () => {
    assert.deepEqual(accessOf([policy("vm", { action: "DENY", rules: [{}] })]), {
      everybody: true,
      allowed: [],
      denied: ["everybody"],
    });
  });
});
