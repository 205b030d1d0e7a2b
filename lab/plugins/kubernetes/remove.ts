/** Deleting an object, or taking a patch back. */
import type { DeleteRequest } from "../provider";
import { Api, ApiError, isNotFound, NoMatch } from "./api";
import { untilGone } from "./await";
import { Cluster, waitOptions } from "./cluster";
import { isPatch } from "./kinds";
import { relinquish } from "./managers";
import { annotationOf, fromState, KubeObject } from "./objects";

/** Kinds whose deletion is not waited for either, where skipAwait is set. */
const SKIP_AWAIT_OF_DELETE = ["apps/v1/Deployment", "v1/Namespace", "v1/Pod"];

/** Deletes the object and waits until it is gone. Of a patch, only its fields are given up. */
export async function remove(cluster: Cluster, request: DeleteRequest): Promise<void> {
  if (!cluster.api) {
    request.log("warning", `configured Kubernetes cluster is unreachable: ${cluster.unreachable}`);
    if (cluster.deleteUnreachable) return;
    throw new Error(
      "configured Kubernetes cluster is unreachable. If the cluster was deleted, set the provider's option " +
        "deleteUnreachable to remove its resources from the state",
    );
  }
  const { inputs, live, fieldManager } = fromState(request.state);
  if (isPatch(request.type, live.kind)) return removePatch(cluster.api, live, fieldManager);
  const policy = annotationOf(inputs, "pulumi.com/deletionPropagationPolicy")?.toLowerCase();
  const propagation = policy === "orphan" ? "Orphan" : policy === "background" ? "Background" : "Foreground";
  try {
    await cluster.api.delete(live, propagation);
  } catch (error) {
    if (isNotFound(error) || error instanceof NoMatch) return;
    throw error;
  }
  const skip = annotationOf(inputs, "pulumi.com/skipAwait") === "true";
  if (skip && SKIP_AWAIT_OF_DELETE.includes(`${live.apiVersion}/${live.kind}`)) return;
  await untilGone(cluster.api, live, live.metadata.uid, waitOptions(cluster, request, inputs));
}

async function removePatch(api: Api, live: KubeObject, fieldManager: string): Promise<void> {
  try {
    await relinquish(api, live, fieldManager);
  } catch (error) {
    if (error instanceof NoMatch) return;
    if (!(error instanceof ApiError) || error.reason !== "Invalid" || !error.message.includes("Required value"))
      throw error;
    throw new Error(
      "this Patch resource is currently managing a required field, so it can't be deleted directly. Either set the " +
        `retainOnDelete resource option, or transfer ownership of the field before deleting: ${error.message}`,
    );
  }
}
