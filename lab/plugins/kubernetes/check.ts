/** From a program's inputs to those that are kept: name, namespace, canonical spelling, and what is refused. */
import { randomBytes } from "node:crypto";
import { CheckError } from "../errors";
import type { CheckRequest } from "../provider";
import { isObj, Obj, UNKNOWN } from "../values";
import { Cluster, isNamespaced } from "./cluster";
import { isList, isPatch, parseType } from "./kinds";
import { annotationOf, KubeObject, normalized, toManifest, toValues } from "./objects";

const AUTONAMED = "pulumi.com/autonamed";

/** True if Pulumi and not the program named the object. */
export const isAutonamed = (inputs: KubeObject): boolean => annotationOf(inputs, AUTONAMED) === "true";

/** The checked inputs of a resource. Throws CheckError for inputs that the stand-in cannot serve. */
export async function checked(cluster: Cluster, request: CheckRequest): Promise<Obj> {
  const type = parseType(request.type);
  if (isList(type)) {
    throw new Error(
      `${request.type}: lists exist for manifests and cannot be created: make a resource for each of their elements`,
    );
  }
  const inputs = normalized(toManifest(request.news));
  const reason = refusal(inputs);
  if (reason) throw new CheckError([{ property: "kind", reason }]);

  inputs.metadata ??= {} as KubeObject["metadata"];
  const { metadata } = inputs;
  // Metadata that is not known before the update can be neither read nor completed.
  if (!isObj(metadata)) return toValues(inputs, request.news);

  if (isPatch(request.type, inputs.kind)) {
    if (!metadata.name) throw new CheckError([{ property: "metadata.name", reason: "patch resources require a name" }]);
  } else if (!metadata.name) {
    if (metadata["generateName"]) {
      throw new CheckError([
        { property: "metadata.generateName", reason: "is not supported in Server-Side Apply mode" },
      ]);
    }
    setAutomaticName(metadata, request);
  }
  const kind = { apiVersion: type.apiVersion, kind: inputs.kind };
  if (!metadata.namespace && (await isNamespaced(cluster, kind))) metadata.namespace = cluster.namespace;
  return toValues(inputs, request.news);
}

/** The name of last time if Pulumi chose it, otherwise a new one; and the annotation that says so. */
function setAutomaticName(metadata: Obj, request: CheckRequest): void {
  const olds = toManifest(request.olds);
  metadata["name"] = isAutonamed(olds) ? olds.metadata.name : `${request.name}-${hexDigits(request.randomSeed)}`;
  if (metadata["annotations"] !== UNKNOWN) {
    metadata["annotations"] = { ...(metadata["annotations"] as Obj | undefined), [AUTONAMED]: "true" };
  }
}

/** Eight, the same for the preview and the update. */
const hexDigits = (seed: Buffer): string => (seed.length > 0 ? seed : randomBytes(4)).subarray(0, 4).toString("hex");

/** Kinds for which the real provider waits in a way that this stand-in does not know. */
const UNKNOWN_AWAITS = new Set([
  "apps/v1/DaemonSet",
  "apps/v1/StatefulSet",
  "batch/v1/Job",
  "networking.k8s.io/v1/Ingress",
  "v1/PersistentVolume",
  "v1/PersistentVolumeClaim",
  "v1/ReplicationController",
  "v1/ResourceQuota",
]);

/** Why the stand-in cannot serve these inputs as the real provider would, or undefined if it can. */
export function refusal(inputs: KubeObject): string | undefined {
  const unsupported = ["pulumi.com/waitFor", "pulumi.com/replaceUnready"].find((key) => annotationOf(inputs, key));
  if (unsupported) return `the lab's stand-in for the kubernetes provider does not implement ${unsupported}`;
  if (annotationOf(inputs, "pulumi.com/skipAwait") === "true") return undefined;
  if (UNKNOWN_AWAITS.has(`${inputs.apiVersion}/${inputs.kind}`)) {
    return (
      `the lab's stand-in for the kubernetes provider does not know how to wait for a ${inputs.kind}: ` +
      'annotate it with pulumi.com/skipAwait: "true" and wait for it in another way'
    );
  }
  return undefined;
}
