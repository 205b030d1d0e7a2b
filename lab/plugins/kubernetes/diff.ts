/** What a change of inputs does to an object. */
import { diffPaths, isWithin } from "../diff";
import type { DiffRequest, DiffResult } from "../provider";
import { isAutonamed } from "./check";
import { Cluster, isNamespaced } from "./cluster";
import { isBuiltIn, isPatch, replacePaths } from "./kinds";
import { fromState, KubeObject, normalized, pruned, toManifest, withUnrecorded } from "./objects";

/** Compares the recorded object, as far as the old inputs speak of it, with the new inputs. */
export async function diff(cluster: Cluster, request: DiffRequest): Promise<DiffResult> {
  const { inputs: oldInputs, live } = fromState(request.state);
  const before = normalized(oldInputs);
  const after = normalized(toManifest(request.news));
  const prunedLive = pruned(live, before);
  const recorded = (
    isBuiltIn(after.apiVersion) ? withUnrecorded(prunedLive, before, () => true) : prunedLive
  ) as KubeObject;
  if (after.metadata.name) recorded.metadata = { ...recorded.metadata, name: live.metadata.name };
  const namespaced = await isNamespaced(cluster, after);
  for (const { metadata } of [recorded, after]) {
    if (namespaced) metadata.namespace ||= "default";
    else delete metadata.namespace;
  }

  const changes = diffPaths(recorded, after);
  const patterns = isPatch(request.type, after.kind)
    ? ["metadata.name", "metadata.namespace"] // All else of a patch can change in place.
    : replacePaths(after, cluster);
  const replaces = [...changes.keys()].filter((path) => patterns.some((pattern) => isWithin(path, pattern)));
  const isSamePlace =
    after.metadata.name === live.metadata.name && after.metadata.namespace === live.metadata.namespace;
  return { changes, replaces, deleteBeforeReplace: isSamePlace && !isAutonamed(after), inputDiff: false };
}
