import assert from "node:assert/strict";
import { notPlain, pendingProxies, sentTo, servicesAt } from "../../../mesh/withdrawal";

const ID = "spiffe://cluster.local/ns/vm/sa/vm1";

describe("where a mesh sends its clients", () => {
  const endpoint = (fields: object) => ({ Shards: { "Kubernetes/Kubernetes": [fields] } });
  const shards = {
    "web.vm.svc": { vm: endpoint({ Addresses: ["10.0.0.1", "fd00::1"], ServiceAccount: ID }) },
    "old.vm.svc": { vm: endpoint({ Address: "10.0.0.1", ServiceAccount: ID }) },
    "other.vm.svc": { vm: endpoint({ Addresses: ["10.0.0.2"], ServiceAccount: ID }) },
    "renamed.vm.svc": { vm: endpoint({ Addresses: ["10.0.0.1"], ServiceAccount: `${ID}0` }) },
    "web.vm.svc.vm1.pulumi-istio-vm": { vm: endpoint({ Addresses: ["10.0.0.1"], ServiceAccount: ID }) },
    "empty.vm.svc": { vm: { Shards: { Kubernetes: null } }, db: null },
  };

  it("is to each service that has the workload as an endpoint, as either version of Istio writes it", () => {
    assert.deepEqual(servicesAt(shards, "10.0.0.1", ID, "vm1"), ["old.vm.svc", "web.vm.svc"]);
    assert.deepEqual(servicesAt(shards, "fd00::1", ID, "vm1"), ["web.vm.svc"]);
    assert.deepEqual(servicesAt(shards, "10.0.0.9", ID, "vm1"), []);
    assert.equal(servicesAt(shards, "10.0.0.1", ID, "vm").length, 3, "of another host's sidecar");
  });

  it("is in plain text to what istiod has a rule for that says so", () => {
    const rule = (name: string, namespace: string, mode?: string, kind = "DestinationRule") => ({
      kind,
      metadata: { name, namespace },
      spec: { trafficPolicy: mode === undefined ? {} : { tls: { mode } } },
    });
    const known = [
      rule("a", "vm", "DISABLE"),
      rule("b", "vm"),
      rule("c", "other", "DISABLE"),
      rule("d", "vm", "DISABLE", "ServiceEntry"),
      rule("e", "vm", "ISTIO_MUTUAL"),
      // As /debug/configz writes DISABLE.
      { kind: "DestinationRule", metadata: { name: "f", namespace: "vm" }, spec: { trafficPolicy: { tls: {} } } },
    ];
    const services = [..."abcdef"].map((name) => ({ name, namespace: "vm" }));
    assert.deepEqual(notPlain(known, services), ["b.vm", "c.vm", "d.vm", "e.vm"]);
    assert.deepEqual(notPlain([], []), []);
  });

  it("is known by every proxy once it has confirmed what it was sent since", () => {
    const proxy = (name: string, sent?: string, acked = sent) => ({
      proxy: name,
      endpoint_sent: sent,
      endpoint_acked: acked,
    });
    const before = sentTo([proxy("a", "1"), proxy("b", "1"), proxy("c", "1"), proxy("gone", "1"), proxy("none")]);
    assert.deepEqual([...before.keys()], ["a", "b", "c", "gone"]);
    const now = [
      proxy("a", "2"),
      proxy("b", "2", "1"), // has not confirmed it
      proxy("c", "1"), // was not sent it: what it has confirmed is what was before
      proxy("late", "2", "1"), // came later, and was never told of the endpoint
      proxy("none"),
    ];
    assert.deepEqual(pendingProxies(before, now), ["b", "c"]);
  });
});
