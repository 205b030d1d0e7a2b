/** The object as it is now: for refresh, import and get. */
import { InitializationFailed } from "../errors";
import type { ReadRequest, ReadResult } from "../provider";
import { isNotFound, NoMatch } from "./api";
import type { Cluster } from "./cluster";
import { isBuiltIn, parseType } from "./kinds";
import { fieldManagerOf } from "./managers";
import {
  fromState,
  isEmpty,
  withUnrecorded,
  KubeObject,
  normalized,
  parseId,
  pruned,
  toManifest,
  toState,
  toValues,
} from "./objects";
import { readinessOf } from "./readiness";

/** Undefined if the object is gone. Throws InitializationFailed if a known one is not ready at the moment. */
export async function read(cluster: Cluster, request: ReadRequest): Promise<ReadResult | undefined> {
  if (!cluster.api) {
    request.log("warning", `configured Kubernetes cluster is unreachable: ${cluster.unreachable}`);
    if (cluster.deleteUnreachable) return undefined;
    throw new Error(
      "failed to read resource state due to unreachable cluster. If the cluster was deleted, set the provider's " +
        "option deleteUnreachable to remove its resources from the state",
    );
  }
  const { name, namespace } = parseId(request.id);
  if (!name) throw new Error(`"${request.id}" is not the id of a Kubernetes object: use namespace/name, or name`);
  const recorded = fromState(request.state);
  // Neither inputs nor state for an import or a get.
  const known = request.inputs["kind"] ? toManifest(request.inputs) : recorded.live;
  const isFirst = !known.kind;
  const inputs: KubeObject = isFirst
    ? { ...parseType(request.type), metadata: { name, namespace } }
    : normalized(known);

  let live: KubeObject;
  try {
    live = await cluster.api.get({ apiVersion: inputs.apiVersion, kind: inputs.kind, metadata: { name, namespace } });
  } catch (error) {
    if (isNotFound(error) || error instanceof NoMatch) return undefined;
    throw error;
  }
  const liveInputs = isFirst ? importedInputs(live) : stillThere(live, inputs);
  const fieldManager = fieldManagerOf(inputs, recorded.fieldManager);
  const source = { ...request.state, ...request.inputs };
  const result = {
    id: request.id,
    inputs: toValues(liveInputs, source),
    state: toState({ inputs: liveInputs, live, fieldManager }, source),
  };
  const now = isFirst ? undefined : await readinessOf(cluster.api, live, 0)?.(live);
  if (now && !now.ready) {
    const reason = `Resource '${name}' was created but failed to initialize`;
    throw new InitializationFailed(result.id, result.state, [reason, ...now.reasons], result.inputs);
  }
  return result;
}

/** The inputs as the cluster has them now. Empty ones count as there, for the API server never shows them. */
function stillThere(live: KubeObject, inputs: KubeObject): KubeObject {
  const recorded = pruned(live, inputs);
  return (isBuiltIn(inputs.apiVersion) ? withUnrecorded(recorded, inputs, isEmpty) : recorded) as KubeObject;
}

/** The inputs with which a program would make this object: all it has, without what the server fills in. */
function importedInputs(live: KubeObject): KubeObject {
  const { apiVersion, kind, metadata } = live;
  if (!isBuiltIn(apiVersion)) {
    return {
      apiVersion,
      kind,
      metadata: { name: metadata.name, ...(metadata.namespace && { namespace: metadata.namespace }) },
    };
  }
  const inputs = normalized(live);
  delete inputs["status"];
  delete inputs.metadata.annotations?.["deployment.kubernetes.io/revision"];
  delete inputs.metadata.annotations?.["kubectl.kubernetes.io/last-applied-configuration"];
  return inputs;
}
