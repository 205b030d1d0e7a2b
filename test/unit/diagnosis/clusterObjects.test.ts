import assert from "node:assert/strict";
import {
  type ClusterObject,
  dnsServices,
  hasReadyEndpoint,
  readIstiods,
  readLeases,
  readNamespaces,
  readNodes,
  strictWebhooks,
} from "../../../diagnosis/clusterObjects";

const object = (kind: string, name: string, more: Partial<ClusterObject> = {}): ClusterObject => ({
  kind,
  metadata: { name },
  ...more,
});

describe("objects of the cluster", () => {
  it("nodes, with their leases", () => {
    const ready = [{ type: "Ready", status: "True" }];
    const nodes = [
      object("Node", "a", {
        spec: { podCIDRs: ["10.0.0.0/24"] },
        status: { conditions: ready, addresses: [{ address: "192.0.2.1" }] },
      }),
      object("Node", "b", { status: { conditions: [{ type: "Ready", status: "Unknown" }] } }),
    ];
    const leases = [object("Lease", "a", { spec: { renewTime: "2026-01-01T00:00:00Z" } })];
    assert.deepEqual(readNodes(nodes), [
      { name: "a", ready: true, addresses: ["192.0.2.1"], podCidrs: ["10.0.0.0/24"] },
      { name: "b", ready: false, addresses: [], podCidrs: [] },
    ]);
    assert.deepEqual(readLeases([...leases, object("Lease", "b")], new Date("2026-01-01T00:00:07Z")), [
      { node: "a", age: 7 },
    ]);
  });

  it("namespaces and istiods, with the stack that made them", () => {
    const metadata = { name: "n", namespace: "ns", labels: { "pulumi-istio-vm/owner": "me" } };
    assert.deepEqual(readNamespaces([object("Namespace", "n", { metadata })]), [{ name: "n", owner: "me" }]);
    const [mine, idle] = readIstiods([
      object("Deployment", "n", { metadata, spec: { replicas: 2 }, status: { availableReplicas: 1 } }),
      object("Deployment", "n", { spec: { replicas: 0 }, status: {} }),
    ]);
    assert.deepEqual(mine, { namespace: "ns", name: "n", owner: "me", available: 1, wanted: 2 });
    assert.deepEqual([idle!.available, idle!.wanted, idle!.owner], [0, 0, undefined]);
  });

  it("endpoints that are ready, or do not say that they are not", () => {
    const slice = (...ready: (boolean | undefined)[]) =>
      object("EndpointSlice", "s", { endpoints: ready.map((is) => ({ conditions: { ready: is } })) });
    assert.equal(hasReadyEndpoint([slice(false), slice(undefined)]), true);
    assert.equal(hasReadyEndpoint([slice(false), object("EndpointSlice", "s", { endpoints: null })]), false);
    assert.equal(hasReadyEndpoint([]), false);
  });

  it("webhooks of Istio's that refuse what they can't judge; Fail is Kubernetes' default", () => {
    const service = { namespace: "istio-system", name: "istiod" };
    const configuration = (name: string, failurePolicy?: string, to: typeof service | undefined = service) =>
      object("MutatingWebhookConfiguration", name, {
        webhooks: [{ name: "w", failurePolicy, clientConfig: { service: to } }],
      });
    const found = strictWebhooks([
      configuration("istio-a", "Fail"),
      configuration("istio-b"),
      configuration("istio-c", "Ignore"),
      configuration("cert-manager", "Fail"),
      object("Node", "istio-node"),
    ]);
    assert.deepEqual(
      found.map(({ name }) => name),
      ["istio-a (w)", "istio-b (w)"],
    );
    assert.deepEqual(found[0], { name: "istio-a (w)", namespace: "istio-system", service: "istiod", owner: undefined });
  });

  it("Services of the cluster's DNS, whatever the distribution calls them", () => {
    const service = (name: string, labels: Record<string, string> = {}, port = 53, protocol = "UDP") =>
      object("Service", name, { metadata: { name, labels }, spec: { ports: [{ port, protocol }] } });
    const names = (...services: ClusterObject[]) => dnsServices(services).map(({ metadata }) => metadata.name);
    const others = [service("pihole"), service("web", {}, 8080), service("tls", {}, 53, "TCP")];
    assert.deepEqual(names(...others, service("kube-dns")), ["kube-dns"]);
    const rke2 = service("rke2-coredns-rke2-coredns", { "k8s-app": "kube-dns" });
    assert.deepEqual(names(...others, rke2), ["rke2-coredns-rke2-coredns"]);
    const openShift = service("dns-default", { "dns.operator.openshift.io/owning-dns": "default" });
    assert.deepEqual(names(...others, openShift), ["dns-default"]);
    assert.deepEqual(names(...others), ["pihole"]);
    assert.deepEqual(names(service("web", {}, 8080)), []);
  });
});
