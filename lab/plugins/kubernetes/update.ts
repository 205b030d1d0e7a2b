/** Changing an object in place. */
import { InitializationFailed } from "../errors";
import type { UpdateRequest } from "../provider";
import { hasUnknown, Obj } from "../values";
import { Api, ApiError, NoMatch } from "./api";
import { NotReady, untilReady } from "./await";
import { Cluster, isServed, reachable, waitOptions } from "./cluster";
import { isCrd, isPatch } from "./kinds";
import { explainConflict, fieldManagerOf, forces, relinquish, takeover, withoutIgnored } from "./managers";
import { fromState, idOf, KubeObject, normalized, toManifest, toState } from "./objects";

/**
 * Applies the new inputs under the resource's own field manager. A preview is a dry run. Throws InitializationFailed,
 * with the new inputs in the state, if the API server refuses them or the object does not become ready.
 */
export async function update(cluster: Cluster, request: UpdateRequest): Promise<Obj> {
  const { inputs: values, preview, urn } = request;
  const inputs = normalized(toManifest(values));
  if (preview && (hasUnknown(inputs) || !(await isServed(cluster, inputs)))) return values;
  const api = reachable(cluster);
  const old = fromState(request.state);
  const fieldManager = fieldManagerOf(inputs, old.fieldManager);
  try {
    const written = await write(api, cluster, request, inputs, fieldManager);
    if (preview) return toState({ inputs, live: written, fieldManager }, values);
    const live = await untilReady(api, written, waitOptions(cluster, request, inputs));
    if (old.fieldManager && old.fieldManager !== fieldManager) await relinquish(api, live, old.fieldManager);
    return toState({ inputs, live, fieldManager }, values);
  } catch (error) {
    if (preview && error instanceof ApiError && error.code === 403) return values;
    if (error instanceof NoMatch) {
      throw new Error(
        `update of resource "${urn}" failed because the Kubernetes API server reported that the apiVersion for this ` +
          `resource does not exist. Verify that any required CRDs have been created: ${error.message}`,
      );
    }
    throw await updateFailure(api, old.live, error, (live) => toState({ inputs, live, fieldManager }, values));
  }
}

async function write(
  api: Api,
  cluster: Cluster,
  request: UpdateRequest,
  inputs: KubeObject,
  fieldManager: string,
): Promise<KubeObject> {
  const dryRun = request.preview;
  let live = await api.get(fromState(request.state).live);
  if (isCrd(inputs)) {
    // By a replacement of the whole: an apply would keep versions that the program dropped.
    inputs = { ...inputs, metadata: { ...inputs.metadata, resourceVersion: live.metadata.resourceVersion } };
    const replaced = await api.replace(inputs, { fieldManager, dryRun });
    api.rediscover();
    return replaced;
  }
  if (!dryRun && !isPatch(request.type, inputs.kind)) {
    const patch = takeover(live, fieldManager);
    if (patch.length > 0) live = await api.jsonPatch(live, patch);
  }
  const wanted = withoutIgnored(inputs, live, fieldManager, request.ignoreChanges);
  const options = { fieldManager, dryRun, force: forces(inputs, live, { ...cluster, preview: dryRun }) };
  return api.apply(wanted, options).catch((error: unknown) => {
    throw explainConflict(error, fieldManager);
  });
}

/** A failed update leaves the object as it is, with the new inputs in the state, and is tried again at the next one. */
async function updateFailure(
  api: Api,
  object: KubeObject,
  error: unknown,
  stateWith: (live: KubeObject) => Obj,
): Promise<Error> {
  const message = error instanceof Error ? error.message : String(error);
  let live: KubeObject;
  try {
    live = error instanceof NotReady ? error.object : await api.get(object);
  } catch (readError) {
    return new Error(
      `update of ${idOf(object)} failed: ${message}\nunable to get cluster state: ${(readError as Error).message}`,
    );
  }
  return new InitializationFailed(idOf(live), stateWith(live), [
    `the Kubernetes API server reported that "${idOf(live)}" failed to fully initialize or become live: ${message}`,
    ...(error instanceof NotReady ? error.reasons : []),
  ]);
}
