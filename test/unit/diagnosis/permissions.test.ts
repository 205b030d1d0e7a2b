import assert from "node:assert/strict";
import type { Config } from "../../../config";
import { accessReview, forbiddenBy, neededPermissions } from "../../../diagnosis/permissions";
import { healthyFacts } from "./checks/facts";

const object = (apiVersion: string, kind: string) => ({ apiVersion, kind, metadata: { name: "x" } });

describe("permissions", () => {
  let config: Config;
  before(async () => (config = (await healthyFacts()).config!));
  const names = (changed: Partial<Config>) =>
    neededPermissions({ ...config, ...changed }, []).map(
      ({ group, resource, subresource, verb }) => `${verb} ${resource}${subresource ? `/${subresource}` : ""}.${group}`,
    );

  it("are for every kind of the manifest and of the program, each verb once", () => {
    const needed = neededPermissions(config, [
      object("v1", "Service"),
      object("autoscaling/v2", "HorizontalPodAutoscaler"),
      object("networking.k8s.io/v1", "NetworkPolicy"),
    ]).map(({ group, resource, verb }) => `${verb} ${resource}.${group}`);
    for (const kind of ["services.", "horizontalpodautoscalers.autoscaling", "networkpolicies.networking.k8s.io"]) {
      for (const verb of ["get", "create", "patch", "delete"]) {
        assert.equal(needed.filter((each) => each === `${verb} ${kind}`).length, 1, `${verb} ${kind}`);
      }
    }
    assert.ok(needed.includes("create serviceentries.networking.istio.io"));
  });

  it("are for tokens only where a host that is there has its identity by one", () => {
    const TOKENS = "create serviceaccounts/token.";
    const byToken = (gone: boolean) =>
      names({ hosts: config.hosts.map((host) => ({ ...host, gone, identity: "token" as const })) });
    assert.ok(byToken(false).includes(TOKENS));
    assert.ok(!byToken(true).includes(TOKENS));
    assert.ok(!names({}).includes(TOKENS));
    const [review] = neededPermissions({ ...config, hosts: [{ ...config.hosts[0]!, identity: "token" }] }, [])
      .filter(({ subresource }) => subresource)
      .map(accessReview);
    assert.equal(review!.spec.resourceAttributes.subresource, "token");
  });

  it("are not for what a mesh that is there does not need", () => {
    const existing = { controlPlane: { existing: {} }, sampleClient: undefined } as unknown as Partial<Config>;
    const kinds = (changed: Partial<Config>) =>
      [...new Set(names({ ...existing, ...changed }).map((each) => each.split(" ")[1]))].sort();
    const least = ["namespaces.", "serviceaccounts.", "serviceentries.networking.istio.io", "services."];
    assert.deepEqual(kinds({}), least);
    const gateway = ["destinationrules", "gateways", "virtualservices"].map((kind) => `${kind}.networking.istio.io`);
    assert.deepEqual(
      kinds({ exposure: { type: "LoadBalancer", gateway: { service: "gateway", namespace: "gateways" } } }),
      [...least, ...gateway].sort(),
    );
  });

  it("tells what is refused, the verbs of a kind together", () => {
    const answers =
      "true get secrets \nfalse create secrets \n delete secrets \nfalse patch deployments apps\nfalse create serviceaccounts  token\n";
    assert.deepEqual(forbiddenBy(answers), [
      "create/delete secrets",
      "patch deployments.apps",
      "create serviceaccounts/token",
    ]);
    assert.deepEqual(forbiddenBy("true * * *\n"), []);
  });
});
