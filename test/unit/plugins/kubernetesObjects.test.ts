import assert from "node:assert/strict";
import { InitializationFailed } from "../../../lab/plugins/errors";
import { field, KubeObject } from "../../../lab/plugins/kubernetes/objects";
import { isSecret, Obj, secret, UNKNOWN } from "../../../lab/plugins/values";
import {
  CONFIG_MAP,
  configMap,
  SERVICE,
  service,
  WIDGET,
  widget,
  serveWidgets,
  FAST,
  useFake,
} from "./kubernetesDriver";

describe("the stand-in for the kubernetes provider: objects", () => {
  const context = useFake();

  /** The manager and operation of each entry of managedFields. */
  const managers = (object: KubeObject | undefined) =>
    object?.metadata.managedFields?.map(
      ({ manager, operation }) => `${operation} ${manager.replace(/-[0-9a-f]{8}$/, "-HEX")}`,
    );

  describe("create", () => {
    it("posts as the creator and keeps its own field manager in the state", async () => {
      const resource = await context.driver(CONFIG_MAP);
      const state = await resource.create(configMap({ a: "1" }));
      assert.deepEqual(context.fake.writes, ["POST /api/v1/namespaces/default/configmaps"]);
      assert.deepEqual(managers(context.fake.get("v1", "ConfigMap", "settings", "default")), [
        "Update pulumi-kubernetes",
      ]);
      assert.match(state["__fieldManager"] as string, /^pulumi-kubernetes-[0-9a-f]{8}$/);
      assert.equal(state["__initialApiVersion"], "v1");
      assert.equal(resource.kept?.id, "default/settings");
    });

    it("refuses to adopt an object that is there, but not in a preview", async () => {
      const resource = await context.driver(CONFIG_MAP);
      context.fake.put({
        ...configMap({}),
        metadata: { name: "settings", namespace: "default" },
      } as unknown as KubeObject);
      assert.deepEqual((await resource.create(configMap({ a: "1" }), true))["data"], { a: "1" });
      await assert.rejects(resource.create(configMap({ a: "1" })), /already exists[^]*import it/);
    });

    it("previews by a dry run, without a status, and changes nothing", async () => {
      const resource = await context.driver(SERVICE);
      context.fake.complete = (object) => Object.assign(object, { status: {} });
      const state = await resource.create(service({ clusterIP: "None" }), true);
      assert.ok(field(state, "metadata", "uid"));
      assert.equal("status" in state, false);
      assert.equal(context.fake.get("v1", "Service", "web", "default"), undefined);
    });

    it("does not ask the cluster in a preview with unknowns, of a patch, or of a missing kind or namespace", async () => {
      const resource = await context.driver(CONFIG_MAP);
      await resource.create(configMap({ a: UNKNOWN }), true);
      const patch = await context.driver("kubernetes:core/v1:ServicePatch");
      await patch.create(service({ type: "NodePort" }), true);
      const custom = await context.driver(WIDGET);
      assert.deepEqual((await custom.create(widget({ size: 1 }), true))["spec"], { size: 1 });
      assert.deepEqual(context.fake.writes, []);
      const state = await resource.create(configMap({ a: "1" }, { name: "settings", namespace: "later" }), true);
      assert.equal(field(state, "metadata", "uid"), undefined);
    });

    it("tries again until a custom resource's kind is served", async () => {
      const resource = await context.driver(WIDGET);
      resource.logs.push = (...messages: string[]) => {
        serveWidgets(context.fake);
        return Array.prototype.push.apply(resource.logs, messages);
      };
      await resource.create(widget({ size: 1 }));
      assert.match(resource.logs.join(), /Retry #0; creation failed: no matches for kind "Widget"/);
      assert.ok(context.fake.get("example.com/v1", "Widget", "w", "default"));
    });

    it("gives up on a kind that never comes", async () => {
      const resource = await context.driver(WIDGET);
      await assert.rejects(resource.create(widget({})), /Verify that any required CRDs have been created/);
      assert.equal(resource.logs.length, FAST.retries.length);
    });

    it("keeps nested secrets secret in the state", async () => {
      const resource = await context.driver(CONFIG_MAP);
      const state = await resource.create(configMap({ open: "1", hidden: secret("geheim") }));
      const data = state["data"] as Obj;
      assert.equal(data["open"], "1");
      assert.ok(isSecret(data["hidden"]));
      assert.doesNotMatch(JSON.stringify(state).replaceAll(JSON.stringify(secret("geheim")), ""), /geheim/);
    });
  });

  describe("update", () => {
    it("takes the creator's fields over and applies under its own manager", async () => {
      const resource = await context.driver(CONFIG_MAP, { enableConfigMapMutable: true });
      const { __fieldManager } = await resource.create(configMap({ a: "1", b: "1" }));
      const state = await resource.update(configMap({ a: "2" }));
      assert.deepEqual(state["data"], { a: "2" });
      assert.equal(state["__fieldManager"], __fieldManager);
      const live = context.fake.get("v1", "ConfigMap", "settings", "default");
      assert.deepEqual(managers(live), ["Apply pulumi-kubernetes-HEX"]);
      assert.deepEqual(live?.["data"], { a: "2" });
    });

    it("previews without a takeover, by force, and changes nothing", async () => {
      const resource = await context.driver(CONFIG_MAP, { enableConfigMapMutable: true });
      await resource.create(configMap({ a: "1", b: "1" }));
      const state = await resource.update(configMap({ a: "2" }), true);
      // What the creator owns stays: the real provider's preview is wrong here in the same way.
      assert.deepEqual(state["data"], { a: "2", b: "1" });
      assert.deepEqual(context.fake.get("v1", "ConfigMap", "settings", "default")?.["data"], { a: "1", b: "1" });
      assert.equal(context.fake.seen.at(-1)?.query.get("force"), "true");
    });

    it("reports a conflict with the manager's name and the hint, keeps the state, and forces when told to", async () => {
      const resource = await context.driver(CONFIG_MAP, { enableConfigMapMutable: true });
      await resource.create(configMap({ a: "1" }));
      await resource.update(configMap({ a: "2" }));
      const live = context.fake.get("v1", "ConfigMap", "settings", "default");
      live?.metadata.managedFields?.push({
        manager: "istiod",
        operation: "Update",
        fieldsV1: { "f:data": { "f:a": {} } },
      });
      await assert.rejects(resource.update(configMap({ a: "3" })), (error: unknown) => {
        assert.ok(error instanceof InitializationFailed);
        assert.match(error.message, /conflict with "istiod": \.data\.a/);
        assert.match(error.message, /field manager "pulumi-kubernetes-[0-9a-f]{8}"/);
        assert.match(error.message, /pulumi\.com\/patchForce/);
        return true;
      });
      const forced = { name: "settings", annotations: { "pulumi.com/patchForce": "true" } };
      await resource.update(configMap({ a: "3" }, forced));
      assert.deepEqual(context.fake.get("v1", "ConfigMap", "settings", "default")?.["data"], { a: "3" });
    });

    it("leaves ignored fields of others alone", async () => {
      serveWidgets(context.fake);
      const resource = await context.driver(WIDGET, {}, { ignoreChanges: ["spec.replicas"] });
      await resource.create(widget({ size: 1 }));
      const live = context.fake.get("example.com/v1", "Widget", "w", "default") as KubeObject;
      (live["spec"] as Obj)["replicas"] = 7;
      live.metadata.managedFields?.push({
        manager: "scaler",
        operation: "Update",
        fieldsV1: { "f:spec": { "f:replicas": {} } },
      });
      await resource.update(widget({ size: 2, replicas: 1 }));
      const updated = context.fake.get("example.com/v1", "Widget", "w", "default");
      assert.deepEqual(updated?.["spec"], { size: 2, replicas: 7 });
      const owners = updated.metadata.managedFields?.filter((entry) =>
        field(entry, "fieldsV1", "f:spec", "f:replicas"),
      );
      assert.deepEqual(
        owners?.map(({ manager }) => manager),
        ["scaler"],
      );
    });

    it("reports a refused immutable field and keeps the object's state", async () => {
      const resource = await context.driver(CONFIG_MAP, { enableConfigMapMutable: true });
      await resource.create(configMap({ a: "1" }));
      context.fake.refuse = () => ({
        code: 422,
        reason: "Invalid",
        message: "data: field is immutable when `immutable` is set",
      });
      await assert.rejects(resource.update(configMap({ a: "2" })), /"default\/settings".*field is immutable/);
      assert.deepEqual(resource.kept?.state["data"], { a: "1" });
      context.fake.refuse = () => undefined;
      assert.deepEqual((await resource.update(configMap({ a: "2" })))["data"], { a: "2" });
    });

    it("replaces a CustomResourceDefinition as a whole, and forgets what it discovered", async () => {
      const crd = (spec: Obj) => ({
        apiVersion: "apiextensions.k8s.io/v1",
        kind: "CustomResourceDefinition",
        metadata: { name: "widgets.example.com" },
        spec,
      });
      const resource = await context.driver("kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition");
      await resource.create(crd({ versions: ["v1", "v2"], x_kubernetes_map_type: "atomic" }));
      const path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
      assert.deepEqual(context.fake.objects.get(`${path}/widgets.example.com`)?.["spec"], {
        versions: ["v1", "v2"],
        "x-kubernetes-map-type": "atomic",
      });
      assert.equal(field(resource.kept?.state, "spec", "x_kubernetes_map_type"), "atomic");
      await resource.update(crd({ versions: ["v2"] }));
      assert.deepEqual(context.fake.writes, [`POST ${path}`, `PUT ${path}/widgets.example.com`]);
    });
  });

  describe("a patch", () => {
    const type = "kubernetes:core/v1:ServicePatch";
    const patch = (annotations?: Obj) => service({ type: "NodePort" }, annotations);

    beforeEach(() => {
      context.fake.put({
        apiVersion: "v1",
        kind: "Service",
        metadata: {
          name: "web",
          namespace: "default",
          managedFields: [
            { manager: "istioctl", operation: "Update", fieldsV1: { "f:spec": { "f:type": {}, "f:ports": {} } } },
          ],
        },
        spec: { type: "LoadBalancer", ports: [{ port: 80 }] },
      });
    });

    it("conflicts with the owner, and takes over with patchForce", async () => {
      const resource = await context.driver(type);
      await assert.rejects(resource.create(patch()), /conflict with "istioctl"[^]*patchForce/);
      const state = await resource.create(patch({ "pulumi.com/patchForce": "true" }));
      assert.deepEqual(state["spec"], { type: "NodePort", ports: [{ port: 80 }] });
      assert.deepEqual(managers(context.fake.get("v1", "Service", "web", "default")), [
        "Update istioctl",
        "Apply pulumi-kubernetes-HEX",
      ]);
    });

    it("gives only its own fields up when it is deleted", async () => {
      const resource = await context.driver(type);
      await resource.create(patch({ "pulumi.com/patchForce": "true" }));
      await resource.delete();
      const live = context.fake.get("v1", "Service", "web", "default");
      assert.deepEqual(live?.["spec"], { ports: [{ port: 80 }] });
      assert.deepEqual(managers(live), ["Update istioctl"]);
    });

    it("of an absent object tries to create it, with the server's refusal", async () => {
      context.fake.objects.delete("/api/v1/namespaces/default/services/web");
      context.fake.refuse = () => ({
        code: 422,
        reason: "Invalid",
        message: 'Service "web" is invalid: spec.ports: Required value',
      });
      await assert.rejects((await context.driver(type)).create(patch()), /spec\.ports: Required value/);
    });
  });

  describe("refresh, get and delete", () => {
    it("reads back what the inputs speak of, and notices a deletion", async () => {
      const resource = await context.driver(CONFIG_MAP);
      await resource.create(configMap({ a: "1" }));
      const live = context.fake.get("v1", "ConfigMap", "settings", "default") as KubeObject;
      live["data"] = { a: "drifted", added: "x" };
      assert.equal(await resource.refresh(), true);
      assert.deepEqual(resource.kept?.inputs["data"], { a: "drifted" });
      assert.deepEqual(resource.kept?.state["data"], { a: "drifted", added: "x" });
      assert.deepEqual([...(await resource.diff(configMap({ a: "1" }))).changes], [["data.a", "UPDATE"]]);
      context.fake.objects.delete("/api/v1/namespaces/default/configmaps/settings");
      assert.equal(await resource.refresh(), false);
    });

    it("gets an object that it did not make, secrets as secrets", async () => {
      context.fake.put({
        apiVersion: "v1",
        kind: "Secret",
        metadata: { name: "s", namespace: "default" },
        data: { a: "eA==" },
      });
      const found = await (await context.driver("kubernetes:core/v1:Secret")).get("default/s");
      assert.ok(isSecret(found?.inputs["data"]) && isSecret(found.state["data"]));
      assert.equal(field(found.inputs, "metadata", "uid"), undefined);
      assert.equal(await (await context.driver("kubernetes:core/v1:Secret")).get("default/absent"), undefined);
    });

    it("deletes in the foreground unless annotated, and takes an absent object for deleted", async () => {
      const resource = await context.driver(CONFIG_MAP);
      await resource.create(configMap({}));
      await resource.delete();
      assert.deepEqual(context.fake.seen.find(({ method }) => method === "DELETE")?.body, {
        propagationPolicy: "Foreground",
      });
      assert.equal(context.fake.get("v1", "ConfigMap", "settings", "default"), undefined);
      await resource.create(configMap({}));
      context.fake.objects.delete("/api/v1/namespaces/default/configmaps/settings");
      await resource.delete();
    });

    it("waits for finalizers, and names them when it gives up", async () => {
      const operation = { timeout: 0.05 };
      const resource = await context.driver(CONFIG_MAP, {}, operation);
      await resource.create(configMap({}));
      const live = context.fake.get("v1", "ConfigMap", "settings", "default") as KubeObject;
      live.metadata.finalizers = ["example.com/hold"];
      await assert.rejects(resource.delete(), /timed out after 0.05 s.*default\/settings.*\(example\.com\/hold\)/);
      operation.timeout = 0;
      const path = "/api/v1/namespaces/default/configmaps/settings";
      context.fake.steps.set(path, [() => undefined, () => context.fake.objects.delete(path)]);
      await resource.delete();
    });
  });
});
