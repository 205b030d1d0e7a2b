import assert from "node:assert/strict";
import { InitializationFailed } from "../../../lab/plugins/errors";
import type { KubeObject } from "../../../lab/plugins/kubernetes/objects";
import { Obj } from "../../../lab/plugins/values";
import { FAST, SERVICE, service, useFake } from "./kubernetesDriver";

const DEPLOYMENT = "kubernetes:apps/v1:Deployment";
const deployment = (image = "a", annotations?: Obj): Obj => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "app", ...(annotations && { annotations }) },
  spec: { replicas: 1, template: { spec: { containers: [{ name: "c", image }] } } },
});

describe("the stand-in for the kubernetes provider: waiting", () => {
  const context = useFake();

  const PATH = "/apis/apps/v1/namespaces/default/deployments/app";
  const wait = () => undefined;

  /** What happens in the cluster before each of the next looks at the Deployment. */
  const steps = (...next: (() => void)[]) => context.fake.steps.set(PATH, next);

  /** Plays the deployment controller: one revision for each generation. */
  function control(available: boolean, podStatus?: Obj): void {
    const live = context.fake.objects.get(PATH);
    assert.ok(live);
    const revision = String(live.metadata.generation);
    const status = available ? "True" : "False";
    live.metadata.annotations = { ...live.metadata.annotations, "deployment.kubernetes.io/revision": revision };
    live["status"] = {
      observedGeneration: live.metadata.generation,
      conditions: [
        { type: "Available", status, reason: "MinimumReplicas", message: "has minimum availability?" },
        { type: "Progressing", status: "True", reason: available ? "NewReplicaSetAvailable" : "ReplicaSetUpdated" },
      ],
    };
    const owner = (uid: string | undefined) => ({ namespace: "default", ownerReferences: [{ uid: uid ?? "" }] });
    const replicaSet = context.fake.put({
      apiVersion: "apps/v1",
      kind: "ReplicaSet",
      metadata: {
        name: `app-${revision}`,
        ...owner(live.metadata.uid),
        annotations: { "deployment.kubernetes.io/revision": revision },
      },
      spec: { replicas: 1 },
      status: { readyReplicas: available ? 1 : 0 },
    });
    if (!podStatus) return;
    const pod = { name: `app-${revision}-x`, ...owner(replicaSet.metadata.uid) };
    context.fake.put({ apiVersion: "v1", kind: "Pod", metadata: pod, status: podStatus });
  }

  const pulling: Obj = {
    conditions: [{ type: "Ready", status: "False", message: "containers with unready status: [c]" }],
    containerStatuses: [
      { name: "c", ready: false, state: { waiting: { reason: "ImagePullBackOff", message: "no such image a" } } },
    ],
  };

  describe("for a Deployment", () => {
    it("ends when the pods of the current revision are ready", async () => {
      const resource = await context.driver(DEPLOYMENT);
      steps(
        wait,
        () => control(false, pulling),
        () => control(true),
      );
      await resource.create(deployment());
      assert.match(
        resource.logs.join("\n"),
        /info#status: .*\(0\/1 Pods available\)[^]*\[ImagePullBackOff\] no such image a/,
      );
      steps(wait, wait, () => control(true));
      const { status } = await resource.update(deployment("b"));
      assert.equal((status as Obj)["observedGeneration"], 2);
    });

    it("that does not become ready stays in the state, with the pods' messages, and is tried again", async () => {
      const operation = { timeout: 0.3 };
      const resource = await context.driver(DEPLOYMENT, {}, operation);
      steps(() => control(false, pulling));
      await assert.rejects(resource.create(deployment()), (error: unknown) => {
        assert.ok(error instanceof InitializationFailed);
        assert.equal(error.id, "default/app");
        assert.match(error.reasons[0] ?? "", /'app' timed out after 0.3 s waiting to be Ready/);
        assert.match(error.reasons.join("\n"), /Minimum number of live Pods was not attained/);
        assert.match(
          error.reasons.join("\n"),
          /\[Pod app-1-x\]: containers with unready.*\n\[ImagePullBackOff\] no such/,
        );
        return true;
      });
      assert.equal((await resource.diff(deployment())).changes.size, 0);
      operation.timeout = 0;
      steps(wait, wait, () => control(true));
      await resource.update(deployment());
    });

    it("looks no further at a refresh than the present moment", async () => {
      const resource = await context.driver(DEPLOYMENT);
      steps(() => control(true));
      await resource.create(deployment());
      control(false, pulling);
      await assert.rejects(resource.refresh(), (error: unknown) => {
        assert.ok(error instanceof InitializationFailed);
        assert.equal((error.inputs as KubeObject | undefined)?.kind, "Deployment");
        assert.match(error.message, /ImagePullBackOff/);
        return true;
      });
    });

    it("is skipped with pulumi.com/skipAwait, and ends with the user's cancellation", async () => {
      const skipping = await context.driver(DEPLOYMENT);
      await skipping.create(deployment("a", { "pulumi.com/skipAwait": "true" }));
      await skipping.delete();
      const cancelled = await context.driver(DEPLOYMENT);
      steps(wait, () => cancelled.cancel.abort());
      await assert.rejects(cancelled.create(deployment()), /cancelled for "app"/);
    });

    it("takes its timeout from the annotation", async () => {
      const resource = await context.driver(DEPLOYMENT);
      const annotated = deployment("a", { "pulumi.com/timeoutSeconds": "0.03" });
      await assert.rejects(resource.create(annotated), /timed out after 0.03 s/);
    });

    it("outlives an API server that fails for a moment", async () => {
      const resource = await context.driver(DEPLOYMENT);
      const fail = () => {
        throw new Error("etcd is away");
      };
      steps(fail, () => control(true));
      await resource.create(deployment());
      assert.match(resource.logs.join(), /etcd is away/);
    });
  });

  describe("for a Service", () => {
    const endpoints = (subset: Obj): KubeObject => ({
      apiVersion: "v1",
      kind: "Endpoints",
      metadata: { name: "web", namespace: "default" },
      subsets: [subset],
    });

    it("ends once its endpoints have been settled and ready for a while", async () => {
      const resource = await context.driver(SERVICE);
      let since = 0;
      const put = (subset: Obj) => () => {
        context.fake.put(endpoints(subset));
        since = Date.now();
      };
      context.fake.steps.set("/api/v1/namespaces/default/endpoints/web", [
        wait,
        put({ notReadyAddresses: [{ ip: "10.0.0.2" }] }),
        // Longer than it would take to settle.
        ...Array<() => void>(FAST.settle / FAST.poll + 2).fill(wait),
        put({ addresses: [{ ip: "10.0.0.2" }] }),
      ]);
      await resource.create(service({ selector: { app: "a" } }));
      const [subset] = context.fake.get("v1", "Endpoints", "web", "default")?.["subsets"] as Obj[];
      assert.ok(subset?.["addresses"]);
      assert.ok(Date.now() - since >= FAST.settle, `${Date.now() - since} ms`);
    });

    it("says when no pod was selected in time", async () => {
      const resource = await context.driver(SERVICE, {}, { timeout: 0.05 });
      await assert.rejects(resource.create(service({ selector: { app: "a" } })), /Service does not target any Pods/);
    });

    it("does not wait where there is nothing to select", async () => {
      const specs = [{ clusterIP: "None", selector: { a: "b" } }, { type: "ExternalName", selector: { a: "b" } }, {}];
      for (const spec of specs) {
        const resource = await context.driver(SERVICE);
        await resource.create(service(spec));
        await resource.delete();
      }
    });

    it("of type LoadBalancer waits for an address", async () => {
      const operation = { timeout: 0.05 };
      const resource = await context.driver(SERVICE, {}, operation);
      const spec = { type: "LoadBalancer" };
      await assert.rejects(resource.create(service(spec)), /not allocated an IP address/);
      await resource.delete();
      context.fake.complete = (object) =>
        Object.assign(object, { status: { loadBalancer: { ingress: [{ ip: "1.2.3.4" }] } } });
      operation.timeout = 0;
      await resource.create(service(spec));
    });
  });

  it("for a Pod reports why it is not ready", async () => {
    const resource = await context.driver("kubernetes:core/v1:Pod", {}, { timeout: 0.05 });
    const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, spec: { containers: [] } };
    const unscheduled = { conditions: [{ type: "PodScheduled", status: "False", message: "0/1 nodes are available" }] };
    context.fake.complete = (object) => Object.assign(object, { status: unscheduled });
    await assert.rejects(resource.create(pod), /0\/1 nodes are available/);
    await resource.delete();
    context.fake.complete = (object) =>
      Object.assign(object, { status: { conditions: [{ type: "Ready", status: "True" }] } });
    await resource.create(pod);
  });
});
