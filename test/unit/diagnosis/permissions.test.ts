import assert from "node:assert/strict";
import { forbiddenBy, neededPermissions } from "../../../diagnosis/permissions";

const object = (apiVersion: string, kind: string) => ({ apiVersion, kind, metadata: { name: "x" } });

describe("permissions", () => {
  it("are for every kind of the manifest and of the program, each verb once", () => {
    const needed = neededPermissions([
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

  it("tells what is refused, the verbs of a kind together", () => {
    const answers = "true get secrets \nfalse create secrets \n delete secrets \nfalse patch deployments apps\n";
    assert.deepEqual(forbiddenBy(answers), ["create/delete secrets", "patch deployments.apps"]);
    assert.deepEqual(forbiddenBy("true * * *\n"), []);
  });
});
