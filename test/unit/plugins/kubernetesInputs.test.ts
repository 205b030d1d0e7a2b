import assert from "node:assert/strict";
import { CheckError } from "../../../lab/plugins/errors";
import { field, KubeObject } from "../../../lab/plugins/kubernetes/objects";
import { kubernetesProvider } from "../../../lab/plugins/kubernetes/provider";
import { isSecret, Obj, plain, secret, UNKNOWN } from "../../../lab/plugins/values";
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

describe("the stand-in for the kubernetes provider: inputs", () => {
  const context = useFake();

  describe("check", () => {
    it("names an unnamed object, says so, and keeps the name", async () => {
      const resource = await context.driver(CONFIG_MAP);
      const inputs = await resource.check(configMap({}, {}));
      assert.deepEqual(inputs["metadata"], {
        name: "res-30313233",
        namespace: "default",
        annotations: { "pulumi.com/autonamed": "true" },
      });
      const again = await resource.check(configMap({ a: "1" }, {}), {
        ...inputs,
        metadata: { ...(inputs["metadata"] as Obj), name: "res-old" },
      });
      assert.equal(field(again, "metadata", "name"), "res-old");
      const named = await resource.check(configMap({}), inputs);
      assert.deepEqual(named["metadata"], { name: "settings", namespace: "default" });
    });

    it("fills in the provider's namespace for namespaced kinds only", async () => {
      const inNamespace = await (await context.driver(CONFIG_MAP, { namespace: "apps" })).check(configMap({}));
      assert.equal(field(inNamespace, "metadata", "namespace"), "apps");
      const role = { apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRole", metadata: { name: "r" } };
      const global = await context.driver("kubernetes:rbac.authorization.k8s.io/v1:ClusterRole", { namespace: "apps" });
      assert.deepEqual((await global.check(role))["metadata"], { name: "r" });
    });

    it("turns a Secret's stringData into data and keeps it secret", async () => {
      const resource = await context.driver("kubernetes:core/v1:Secret");
      const inputs = await resource.check({
        apiVersion: "v1",
        kind: "Secret",
        metadata: { name: "s" },
        stringData: secret({ key: "geheim" }),
      });
      assert.equal("stringData" in inputs, false);
      assert.ok(isSecret(inputs["data"]));
      assert.deepEqual(plain(inputs["data"]), { key: Buffer.from("geheim").toString("base64") });
    });

    it("leaves inputs with unknowns as they are, but for the name and the namespace", async () => {
      const resource = await context.driver("kubernetes:core/v1:Secret");
      const inputs = { apiVersion: "v1", kind: "Secret", metadata: { name: UNKNOWN }, stringData: { a: UNKNOWN } };
      const checked = await resource.check(inputs);
      assert.deepEqual(plain(checked), { ...inputs, metadata: { name: UNKNOWN, namespace: "default" } });
    });

    it("spells quantities as the API server does", async () => {
      const resource = await context.driver("kubernetes:apps/v1:Deployment");
      const deployment = (resources: Obj) => ({
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: { name: "d" },
        spec: { template: { spec: { containers: [{ name: "c", resources }] } } },
      });
      const checked = await resource.check(deployment({ requests: { cpu: "1000m", memory: "2048Mi" } }));
      const expected = deployment({ requests: { cpu: "1", memory: "2Gi" } });
      assert.deepEqual(checked["spec"], expected.spec);
    });

    it("refuses what it does not implement", async () => {
      const provider = kubernetesProvider(FAST);
      await provider.configure?.({ kubeconfig: context.fake.kubeconfig });
      for (const type of [
        "kubernetes:helm.sh/v3:Release",
        "kubernetes:yaml:ConfigGroup",
        "kubernetes:kustomize/v2:Directory",
      ]) {
        assert.throws(() => provider.resource(type), /does not implement/, type);
      }
      assert.throws(() => provider.resource("kubernetes:v1:Service"), /does not have both a group and a version: "v1"/);
      await assert.rejects((await context.driver("kubernetes:core/v1:PodList")).check({ kind: "PodList" }), /lists/);
      const set = { apiVersion: "apps/v1", kind: "StatefulSet", metadata: { name: "s" } };
      const statefulSet = await context.driver("kubernetes:apps/v1:StatefulSet");
      await assert.rejects(statefulSet.check(set), CheckError);
      const annotated = { ...set, metadata: { name: "s", annotations: { "pulumi.com/waitFor": "jsonpath={.x}" } } };
      await assert.rejects(statefulSet.check(annotated), /pulumi.com\/waitFor/);
    });

    it("requires a name of a patch", async () => {
      const patch = await context.driver("kubernetes:core/v1:ServicePatch");
      await assert.rejects(patch.check({ apiVersion: "v1", kind: "Service", metadata: {} }), /require a name/);
    });
  });

  describe("options", () => {
    const provider = kubernetesProvider(FAST);

    it("refuses unknown ones and client-side apply", () => {
      const failing = (options: Obj) => () => provider.checkConfig?.(options, {});
      assert.throws(failing({ renderYamlToDirectory: "/tmp/x" }), /renderYamlToDirectory/);
      assert.throws(failing({ clusterIdentifier: "c" }), /clusterIdentifier/);
      assert.throws(failing({ enableServerSideApply: "false" }), /enableServerSideApply/);
      const fine = { kubeconfig: secret("x"), namespace: "n", enableSecretMutable: "true", version: "4.34.2" };
      assert.deepEqual(provider.checkConfig?.(fine, {}), fine);
    });

    it("replaces everything when the kubeconfig means another cluster, and only then", async () => {
      const changed = (edit: (text: string) => string) => {
        const news = { kubeconfig: secret(edit(context.fake.kubeconfig)) };
        return provider.diffConfig?.({ kubeconfig: secret(context.fake.kubeconfig) }, news);
      };
      const replaces = async (edit: (text: string) => string) => [...((await changed(edit))?.replaces ?? [])];
      assert.deepEqual(await replaces((text) => text.replace("t0ken", "other")), []);
      assert.deepEqual(await replaces((text) => text.replace(context.fake.url, "http://127.0.0.1:1")), ["kubeconfig"]);
      assert.deepEqual(await replaces(() => UNKNOWN), ["kubeconfig"]);
    });

    it("refuses ways to authenticate that it does not know", async () => {
      const kubeconfig = context.fake.kubeconfig.replace('"token":"t0ken"', '"exec":{"command":"aws"}');
      await assert.rejects(async () => kubernetesProvider(FAST).configure?.({ kubeconfig }), /does not implement exec/);
    });
  });

  describe("an unreachable cluster", () => {
    const gone = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c" }, data: { a: "1" } };

    it("previews with the inputs and fails the update with the reason", async () => {
      const kubeconfig = context.fake.kubeconfig.replace(context.fake.url, "http://127.0.0.1:1");
      const resource = await context.driver(CONFIG_MAP, { kubeconfig });
      assert.deepEqual((await resource.create(gone, true))["data"], { a: "1" });
      await assert.rejects(
        resource.create(gone),
        /cluster is unreachable: GET http:\/\/127.0.0.1:1\/api\/v1.*ECONNREFUSED/,
      );
      await assert.rejects(resource.get("default/c"), /unreachable cluster/);
    });

    it("counts a refused user as unreachable, without showing the token", async () => {
      const resource = await context.driver(CONFIG_MAP, {
        kubeconfig: context.fake.kubeconfig.replace("t0ken", "wr0ng"),
      });
      await assert.rejects(resource.create(gone), (error: Error) => {
        assert.match(error.message, /Unauthorized/);
        assert.doesNotMatch(error.message, /wr0ng/);
        return true;
      });
    });
  });

  describe("diff", () => {
    async function changesOf(type: string, before: Obj, after: Obj, options: Obj = {}, ignoreChanges: string[] = []) {
      const resource = await context.driver(type, options, { ignoreChanges });
      await resource.create(before);
      const { changes, replaces = [], deleteBeforeReplace } = await resource.diff(after);
      return { changes: Object.fromEntries(changes), replaces: [...replaces], deleteBeforeReplace };
    }

    it("finds nothing when nothing changed, whatever the cluster added", async () => {
      context.fake.complete = (object) => Object.assign(object["spec"] ?? {}, { clusterIP: "10.0.0.1" });
      const before = service({ type: "ExternalName", hostNetwork: false });
      assert.deepEqual((await changesOf(SERVICE, before, before)).changes, {});
    });

    it("takes an empty field that the server dropped for unchanged, and a new one for a change", async () => {
      context.fake.complete = (object) => delete (object["spec"] as Obj)["publishNotReadyAddresses"];
      const before = service({ clusterIP: "None", publishNotReadyAddresses: false });
      assert.deepEqual((await changesOf(SERVICE, before, before)).changes, {});
      context.fake.objects.delete("/api/v1/namespaces/default/services/web");
      const after = service({ clusterIP: "None", publishNotReadyAddresses: true });
      const { changes } = await changesOf(SERVICE, before, after);
      assert.deepEqual(changes, { "spec.publishNotReadyAddresses": "UPDATE" });
    });

    it("gives deep paths", async () => {
      const before = service(
        { clusterIP: "None", ports: [{ port: 80 }, { port: 81 }], selector: { app: "a" } },
        { gone: "x" },
      );
      const after = service({
        clusterIP: "None",
        ports: [{ port: 80 }, { port: 82, name: "n" }],
        selector: { app: UNKNOWN },
      });
      const { changes, replaces } = await changesOf(SERVICE, before, after);
      assert.deepEqual(changes, {
        "metadata.annotations": "DELETE",
        "spec.ports[1].port": "UPDATE",
        "spec.ports[1].name": "ADD",
        "spec.selector.app": "UPDATE",
      });
      assert.deepEqual(replaces, []);
    });

    it("replaces a changed ConfigMap or Secret, deleting it first, unless it is declared mutable", async () => {
      const [before, after] = [configMap({ a: "1" }), configMap({ a: "2" })];
      const replaced = { changes: { "data.a": "UPDATE" }, replaces: ["data.a"], deleteBeforeReplace: true };
      assert.deepEqual(await changesOf(CONFIG_MAP, before, after), replaced);
      context.fake.objects.clear();
      context.fake.put({ apiVersion: "v1", kind: "Namespace", metadata: { name: "default" } });
      const mutable = await changesOf(CONFIG_MAP, before, after, { enableConfigMapMutable: "true" });
      assert.deepEqual(mutable.replaces, []);
      const secretOf = (value: string) => ({
        apiVersion: "v1",
        kind: "Secret",
        metadata: { name: "s" },
        stringData: { a: value },
      });
      const type = "kubernetes:core/v1:Secret";
      assert.deepEqual((await changesOf(type, secretOf("1"), secretOf("2"))).replaces, ["data.a"]);
      context.fake.objects.delete("/api/v1/namespaces/default/secrets/s");
      assert.deepEqual(
        (await changesOf(type, secretOf("1"), secretOf("2"), { enableSecretMutable: true })).replaces,
        [],
      );
    });

    it("replaces for a new name or namespace, and creates first when the name is automatic or another one", async () => {
      const renamed = await changesOf(CONFIG_MAP, configMap({}), configMap({}, { name: "other" }));
      assert.deepEqual(renamed, {
        changes: { "metadata.name": "UPDATE" },
        replaces: ["metadata.name"],
        deleteBeforeReplace: false,
      });
      const automatic = await changesOf(CONFIG_MAP, configMap({ a: "1" }, {}), configMap({ a: "2" }, {}));
      assert.deepEqual(automatic.replaces, ["data.a"]);
      assert.equal(automatic.deleteBeforeReplace, false);
    });

    it("honours ignoreChanges with wildcards", async () => {
      serveWidgets(context.fake);
      const hooks = (caBundle: string, path: string) => widget({ webhooks: [{ clientConfig: { caBundle, path } }] });
      const pattern = "spec.webhooks[*].clientConfig.caBundle";
      const { changes } = await changesOf(WIDGET, hooks("a", "/x"), hooks("b", "/y"), {}, [pattern]);
      assert.deepEqual(changes, { "spec.webhooks[0].clientConfig.path": "UPDATE" });
    });

    it("updates a patch in place for all but its name", async () => {
      context.fake.put({
        ...service({ clusterIP: "None" }),
        metadata: { name: "web", namespace: "default" },
      } as unknown as KubeObject);
      const type = "kubernetes:core/v1:ServicePatch";
      const { replaces } = await changesOf(type, service({ clusterIP: "None" }), service({ clusterIP: "10.0.0.9" }));
      assert.deepEqual(replaces, []);
    });
  });
});
