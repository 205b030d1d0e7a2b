/** The stand-in against a real API server. Skipped unless KUBE_APISERVER_BIN names the lab's hyperkube. */
import assert from "node:assert/strict";
import { field, KubeObject } from "../../../lab/plugins/kubernetes/objects";
import { kubernetesProvider } from "../../../lab/plugins/kubernetes/provider";
import { Obj } from "../../../lab/plugins/values";
import { CONFIG_MAP, configMap, Driver, Operation, SERVICE, service, WIDGET, widget } from "./kubernetesDriver";
import { RealCluster, startCluster } from "./kubernetesCluster";

const hyperkube = process.env["KUBE_APISERVER_BIN"];
const TIMING = { poll: 50, settle: 200, retries: [200, 400, 800, 1600] };

const CRD = "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition";
const crd = (extra: Obj = {}): Obj => ({
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "widgets.example.com" },
  spec: {
    group: "example.com",
    names: { kind: "Widget", plural: "widgets" },
    scope: "Namespaced",
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: "object", x_kubernetes_preserve_unknown_fields: true, ...extra } },
      },
    ],
  },
});

describe(`the stand-in for the kubernetes provider on a real API server${hyperkube ? "" : " (KUBE_APISERVER_BIN is not set)"}`, function () {
  this.timeout(120_000);
  let cluster: RealCluster;

  before(async function () {
    if (!hyperkube) return this.skip();
    cluster = await startCluster(hyperkube);
  });

  after(() => cluster?.stop());

  async function driver(type: string, options: Obj = {}, operation: Operation = {}): Promise<Driver> {
    const provider = kubernetesProvider(TIMING);
    await provider.configure?.({ kubeconfig: cluster.kubeconfig, ...options });
    return new Driver(provider, type, "res", operation);
  }

  const live = (apiVersion: string, kind: string, name: string) =>
    cluster.api.get({ apiVersion, kind, metadata: { name, namespace: "default" } });
  const ports = (...list: [string, number][]) => list.map(([name, port]) => ({ name, port }));

  it("makes, updates and deletes objects, and finds no difference to what it wrote", async () => {
    const deployment = (image: string, annotations: Obj = { "pulumi.com/skipAwait": "true" }): Obj => ({
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "app", labels: {}, annotations },
      spec: {
        selector: { matchLabels: { app: "a" } },
        template: {
          metadata: { labels: { app: "a" }, annotations: null },
          spec: {
            hostNetwork: false,
            containers: [{ name: "c", image, env: [], resources: { requests: { cpu: "1000m", memory: "2048Mi" } } }],
          },
        },
      },
    });
    const resource = await driver("kubernetes:apps/v1:Deployment");
    await resource.create(deployment("a"));
    assert.deepEqual([...(await resource.diff(deployment("a"))).changes], []);
    assert.deepEqual(
      [...(await resource.diff(deployment("b"))).changes],
      [["spec.template.spec.containers[0].image", "UPDATE"]],
    );
    await resource.update(deployment("b"));
    assert.equal(await resource.refresh(), true);
    assert.deepEqual([...(await resource.diff(deployment("b"))).changes], []);
    await resource.delete();
    // Which skipAwait does not wait for.
    assert.ok((await live("apps/v1", "Deployment", "app")).metadata["deletionTimestamp"]);
  });

  it("reports a Deployment that gets no pods, through the real controllers", async () => {
    const resource = await driver("kubernetes:apps/v1:Deployment", {}, { timeout: 3 });
    const pod = { metadata: { labels: { app: "b" } }, spec: { containers: [{ name: "c", image: "none" }] } };
    const inputs = {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "stuck" },
      spec: { selector: { matchLabels: { app: "b" } }, template: pod },
    };
    await assert.rejects(resource.create(inputs), /\(0\/1|\[MinimumReplicasUnavailable\]/);
    await resource.delete();
  });

  it("moves the creator's fields in an update, and fails the first preview that renames a list's entry", async () => {
    const resource = await driver(SERVICE);
    const on = (port: number) => service({ ports: ports(["http", port]) });
    await resource.create(on(80));
    await assert.rejects(resource.update(on(81), true), /Duplicate value: "http"/);
    await resource.update(on(81));
    const { metadata, spec } = await live("v1", "Service", "web");
    assert.deepEqual(field(spec, "ports"), [{ name: "http", port: 81, protocol: "TCP", targetPort: 81 }]);
    assert.match(metadata.managedFields?.[0]?.manager ?? "", /^pulumi-kubernetes-[0-9a-f]{8}$/);
    await resource.update(on(82), true);
    await resource.delete();
  });

  it("patches a Service with and without force, and gives the fields back", async () => {
    const owner = await driver(SERVICE);
    await owner.create(
      service({ type: "LoadBalancer", ports: ports(["http", 80]) }, { "pulumi.com/skipAwait": "true" }),
    );
    const patch = await driver("kubernetes:core/v1:ServicePatch");
    await assert.rejects(
      patch.create(service({ type: "NodePort" })),
      /conflict with "pulumi-kubernetes"[^]*patchForce/,
    );
    const state = await patch.create(service({ type: "NodePort" }, { "pulumi.com/patchForce": "true" }));
    assert.ok(Number(field(state, "spec", "ports") && (field(state, "spec", "ports") as Obj[])[0]?.["nodePort"]) > 0);
    await patch.delete();
    const { metadata } = await live("v1", "Service", "web");
    assert.ok(!metadata.managedFields?.some(({ operation }) => operation === "Apply"));
    await owner.delete();
    await assert.rejects(patch.create(service({ type: "NodePort" })), /spec\.ports: Required value/);
  });

  it("says that a patch of a required field cannot be given back", async () => {
    const patch = await driver("kubernetes:core/v1:ServicePatch");
    await patch.create(service({ ports: ports(["http", 80]) }));
    await assert.rejects(patch.delete(), /currently managing a required field/);
    await cluster.api.delete(
      { apiVersion: "v1", kind: "Service", metadata: { name: "web", namespace: "default" } },
      "Background",
    );
  });

  it("previews a create by a dry run, also in a namespace that is not there", async () => {
    const resource = await driver(CONFIG_MAP);
    assert.ok(field(await resource.create(configMap({ a: "1" }), true), "metadata", "uid"));
    const later = configMap({ a: "1" }, { name: "settings", namespace: "later" });
    assert.deepEqual((await resource.create(later, true))["data"], { a: "1" });
    await assert.rejects(live("v1", "ConfigMap", "settings"), /not found/);
    await assert.rejects(resource.create(configMap({ a: 1 }), true), /was not successfully created/);
  });

  it("waits for a namespace with its content to be gone", async () => {
    const namespace = await driver("kubernetes:core/v1:Namespace");
    await namespace.create({ apiVersion: "v1", kind: "Namespace", metadata: { name: "short" } });
    const inside = await driver(CONFIG_MAP);
    await inside.create(configMap({}, { name: "c", namespace: "short" }));
    await namespace.delete();
    assert.equal(await inside.refresh(), false);
  });

  it("serves a custom resource as soon as its definition is there, and knows when both are gone", async () => {
    const definition = await driver(CRD);
    const custom = await driver(WIDGET);
    const created = custom.create(widget({ size: 1 }));
    await definition.create(crd());
    await created;
    assert.deepEqual([...(await definition.diff(crd())).changes], []);
    await definition.update(crd({ description: "of no use" }));
    await custom.update(widget({ size: 2 }));
    assert.deepEqual((await live("example.com/v1", "Widget", "w"))["spec"], { size: 2 });
    await definition.delete();
    await custom.delete();
    assert.equal(await custom.refresh().catch(() => "kept"), "kept");
  });

  it("reports finalizers that hold a deletion", async () => {
    const resource = await driver(CONFIG_MAP, {}, { timeout: 0.5 });
    await resource.create(configMap({}, { name: "held", finalizers: ["example.com/hold"] }));
    await assert.rejects(resource.delete(), /finalizers might be preventing deletion \(example.com\/hold/);
    const held = await live("v1", "ConfigMap", "held");
    await cluster.api.jsonPatch(held, [{ op: "remove", path: "/metadata/finalizers" }]);
  });

  it("passes the server's refusal of an immutable field on", async () => {
    const resource = await driver(CONFIG_MAP, { enableConfigMapMutable: true });
    const frozen = (data: Obj) => ({ ...configMap(data, { name: "frozen" }), immutable: true });
    await resource.create(frozen({ a: "1" }));
    assert.deepEqual([...((await resource.diff(frozen({ a: "2" }))).replaces ?? [])], ["data.a"]);
    await assert.rejects(resource.update(frozen({ a: "2" })), /field is immutable when `immutable` is set/);
    await resource.delete();
  });

  it("does not mistake an object that is there for its own", async () => {
    const first = await driver(CONFIG_MAP);
    await first.create(configMap({ a: "1" }));
    const second = await driver(CONFIG_MAP);
    await second.create(configMap({ a: "2" }), true);
    await assert.rejects(second.create(configMap({ a: "2" })), /configmaps "settings" already exists/);
    const object: KubeObject = await live("v1", "ConfigMap", "settings");
    assert.deepEqual(object["data"], { a: "1" });
    await first.delete();
  });
});
