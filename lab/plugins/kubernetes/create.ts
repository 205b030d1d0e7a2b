/** Making an object, or applying a patch to one. */
import { InitializationFailed } from "../errors";
import type { CreateRequest, CreateResult } from "../provider";
import { hasUnknown } from "../values";
import { ApiError, isNotFound, NoMatch } from "./api";
import { NotReady, pause, untilReady } from "./await";
import { Cluster, isServed, reachable, waitOptions } from "./cluster";
import { isCrd, isPatch } from "./kinds";
import { CREATOR, explainConflict, fieldManagerOf, forces } from "./managers";
import { idOf, KubeObject, toManifest, toState } from "./objects";

/**
 * Creates by a plain POST, so an object that is already there is an error; a patch is applied. A preview is a dry run.
 * Throws InitializationFailed if the object does not become ready.
 */
export async function create(cluster: Cluster, request: CreateRequest): Promise<CreateResult> {
  const { inputs: values, preview, urn } = request;
  const inputs = toManifest(values);
  const patch = isPatch(request.type, inputs.kind);
  if (preview && (patch || hasUnknown(inputs) || !(await isServed(cluster, inputs)))) return { id: "", state: values };
  const api = reachable(cluster);
  const fieldManager = fieldManagerOf(inputs);
  const write = () =>
    patch || cluster.upsertExistingObjects
      ? api.apply(inputs, { fieldManager, dryRun: preview, force: forces(inputs, undefined, { ...cluster, preview }) })
      : api.create(inputs, { fieldManager: CREATOR, dryRun: preview });

  let written: KubeObject;
  try {
    written = await retried(write, cluster, request);
  } catch (error) {
    if (preview && isPreviewOnly(error)) return { id: "", state: values };
    throw notCreated(explainConflict(error, fieldManager), urn);
  }
  if (isCrd(inputs)) api.rediscover();
  if (preview) {
    // Its empty status would be wrong for programs that read it.
    delete written["status"];
    return { id: "", state: toState({ inputs, live: written, fieldManager }, values) };
  }
  try {
    const live = await untilReady(api, written, waitOptions(cluster, request, inputs));
    return { id: idOf(live), state: toState({ inputs, live, fieldManager }, values) };
  } catch (error) {
    if (!(error instanceof NotReady)) throw error;
    const state = toState({ inputs, live: error.object, fieldManager }, values);
    throw new InitializationFailed(idOf(error.object), state, [
      `resource "${urn}" was successfully created, but the Kubernetes API server reported that it failed to fully ` +
        `initialize or become live: ${error.message}`,
      ...error.reasons,
    ]);
  }
}

/** Tries again for a while when the kind or the namespace is missing: they may be on their way. */
async function retried<T>(write: () => Promise<T>, cluster: Cluster, request: CreateRequest): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await write();
    } catch (error) {
      const wait = cluster.timing.retries[attempt];
      const mayCome = isNotFound(error) || error instanceof NoMatch;
      const inVain = request.preview && error instanceof ApiError && error.namespaceMissing;
      if (wait === undefined || !mayCome || inVain || request.signal.aborted) throw error;
      request.log("info#status", `Retry #${attempt}; creation failed: ${(error as Error).message}`);
      await pause(wait, request.signal);
    }
  }
}

/** Failures of a dry run that say nothing about the update: what it needs comes first, or is replaced. */
const isPreviewOnly = (error: unknown): boolean =>
  error instanceof ApiError &&
  (error.code === 403 ||
    error.namespaceMissing ||
    error.reason === "AlreadyExists" ||
    (error.code === 400 && error.message.includes("does not support dry run")));

function notCreated(error: unknown, urn: string): Error {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof NoMatch) {
    return new Error(
      `creation of resource "${urn}" failed because the Kubernetes API server reported that the apiVersion for this ` +
        `resource does not exist. Verify that any required CRDs have been created: ${message}`,
    );
  }
  const hint =
    error instanceof ApiError && error.reason === "AlreadyExists"
      ? "\nThe object was not made by this resource: import it, or manage single fields of it with a Patch resource " +
        "(for example NamespacePatch); after a rename in the program, use an alias"
      : "";
  return new Error(`resource "${urn}" was not successfully created by the Kubernetes API server: ${message}${hint}`);
}
