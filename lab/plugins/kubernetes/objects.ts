/** Kubernetes objects as plain JavaScript values, and the form in which they are kept in Pulumi's state. */
import { hasUnknown, isObj, likeSecrets, Obj, plain, secret, UNKNOWN } from "../values";
import { isBuiltIn, isCrd, isSecretKind } from "./kinds";
import { canonicalQuantity } from "./quantity";

export interface ManagedFields {
  manager: string;
  operation: "Apply" | "Update";
  subresource?: string;
  fieldsV1?: Obj;
  [key: string]: unknown;
}

export interface Metadata extends Obj {
  name: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  annotations?: Record<string, string>;
  labels?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: { uid: string }[];
  managedFields?: ManagedFields[];
}

export interface KubeObject extends Obj {
  apiVersion: string;
  kind: string;
  metadata: Metadata;
}

/** The value at a path of property names, or undefined if there is none. */
export const field = (value: unknown, ...path: string[]): unknown =>
  path.reduce<unknown>((part, key) => (isObj(part) ? part[key] : undefined), value);

/** The text of an annotation; undefined if it is absent or not known yet. */
export function annotationOf(object: Obj, key: string): string | undefined {
  const value = field(object, "metadata", "annotations", key);
  return typeof value === "string" && value !== UNKNOWN ? value : undefined;
}

/** `namespace/name`, or the name alone for objects outside of namespaces: the id of the resource in Pulumi. */
export const idOf = ({ metadata }: KubeObject): string =>
  metadata.namespace ? `${metadata.namespace}/${metadata.name}` : metadata.name;

/** The parts of such an id. */
export function parseId(id: string): { namespace?: string; name: string } {
  const [first = "", second] = id.split("/");
  return second === undefined ? { name: first } : { namespace: first, name: second };
}

/** The schema extensions of custom resource definitions: the SDK cannot have dashes in names. */
const EXTENSIONS = [
  "x-kubernetes-embedded-resource",
  "x-kubernetes-int-or-string",
  "x-kubernetes-list-map-keys",
  "x-kubernetes-list-type",
  "x-kubernetes-map-type",
  "x-kubernetes-preserve-unknown-fields",
  "x-kubernetes-validations",
];
const toUnderscores = new Map(EXTENSIONS.map((name) => [name, name.replaceAll("-", "_")]));
const toDashes = new Map(EXTENSIONS.map((name) => [name.replaceAll("-", "_"), name]));

function renamed(value: unknown, names: Map<string, string>): unknown {
  if (Array.isArray(value)) return value.map((element) => renamed(element, names));
  if (!isObj(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [names.get(key) ?? key, renamed(part, names)]));
}

/** Property values as a manifest: no secret wrappers, names as Kubernetes spells them. */
export const toManifest = (values: Obj): KubeObject => renamed(plain(values), toDashes) as KubeObject;

/** An object as property values, with the same parts secret as in `source`, and all data of a Secret secret. */
export function toValues(object: Obj, source: Obj): Obj {
  const values = likeSecrets(renamed(object, toUnderscores) as Obj, source);
  if (!isSecretKind(object)) return values;
  for (const key of ["data", "stringData"]) if (key in values) values[key] = secret(values[key]);
  return values;
}

const READ_ONLY_METADATA = [
  "creationTimestamp",
  "deletionGracePeriodSeconds",
  "deletionTimestamp",
  "generation",
  "managedFields",
  "resourceVersion",
  "uid",
];

/**
 * The inputs as the API server will spell them, so that equal ones compare equal: a Secret's stringData as data,
 * quantities in their canonical form, nothing read-only. Inputs with unknowns and custom resources only lose the
 * read-only metadata.
 */
export function normalized(inputs: KubeObject): KubeObject {
  const result = structuredClone(inputs);
  if (isBuiltIn(result.apiVersion) && !hasUnknown(result)) {
    if (isSecretKind(result)) encodeStringData(result);
    else if (isCrd(result)) {
      delete result["status"];
      if (field(result, "spec", "preserveUnknownFields") === false) {
        delete (result["spec"] as Obj)["preserveUnknownFields"];
      }
    } else spellQuantities(result);
  }
  if (isObj(result.metadata)) for (const key of READ_ONLY_METADATA) delete result.metadata[key];
  return result;
}

function encodeStringData(object: KubeObject): void {
  const { data, stringData } = object;
  const encoded: Obj = isObj(data) ? data : {};
  for (const [key, value] of Object.entries(encoded)) {
    if (typeof value === "string") encoded[key] = Buffer.from(value, "base64").toString("base64");
  }
  if (isObj(stringData)) {
    for (const [key, value] of Object.entries(stringData)) {
      encoded[key] = Buffer.from(String(value)).toString("base64");
    }
    delete object["stringData"];
  }
  if (Object.keys(encoded).length > 0) object["data"] = encoded;
}

const QUANTITIES = new Set(["averageValue", "divisor", "sizeLimit"]);
const MAPS_OF_QUANTITIES = new Set(["capacity", "hard", "limits", "overhead", "requests"]);

function spellQuantities(value: unknown, isMapOfQuantities = false): void {
  if (Array.isArray(value)) for (const element of value) spellQuantities(element);
  if (!isObj(value)) return;
  for (const [key, part] of Object.entries(value)) {
    const isQuantity = isMapOfQuantities || QUANTITIES.has(key);
    if (isQuantity && (typeof part === "string" || typeof part === "number")) {
      value[key] = canonicalQuantity(String(part));
    } else spellQuantities(part, MAPS_OF_QUANTITIES.has(key));
  }
}

/** The part of `live` that `inputs` speak of: what the cluster added is left out. */
export function pruned(live: unknown, inputs: unknown): unknown {
  if (isObj(live) && isObj(inputs)) {
    const keys = Object.keys(live).filter((key) => key in inputs);
    return Object.fromEntries(keys.map((key) => [key, pruned(live[key], inputs[key])]));
  }
  if (Array.isArray(live) && Array.isArray(inputs)) {
    return live.slice(0, inputs.length).map((element, index) => pruned(element, inputs[index]));
  }
  return live;
}

/** True for values that the API server leaves out of the optional fields of built-in kinds. */
export function isEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  return isObj(value) ? Object.keys(value).length === 0 : !value;
}

/**
 * `live` with those inputs filled in that the server did not record, as far as `counts` allows. The server drops empty
 * and unknown fields of built-in kinds, and an input that it drops every time is no change.
 */
export function withUnrecorded(live: unknown, inputs: unknown, counts: (input: unknown) => boolean): unknown {
  if (live === undefined) return counts(inputs) ? inputs : undefined;
  if (isObj(live) && isObj(inputs)) {
    const keys = new Set([...Object.keys(live), ...Object.keys(inputs)]);
    return Object.fromEntries([...keys].map((key) => [key, withUnrecorded(live[key], inputs[key], counts)]));
  }
  if (Array.isArray(live) && Array.isArray(inputs)) {
    return live.map((element: unknown, index) => withUnrecorded(element, inputs[index], counts));
  }
  return live;
}

/** What the state of a resource holds. */
export interface Checkpoint {
  inputs: KubeObject;
  /** The object as the API server gave it last. */
  live: KubeObject;
  /** The name under which the resource owns fields; empty in states without one. */
  fieldManager: string;
}

const INPUTS = "__inputs";
const API_VERSION = "__initialApiVersion";
const FIELD_MANAGER = "__fieldManager";

/** The state to keep; what is secret in `source` (inputs or an older state) stays secret. */
export function toState(checkpoint: Checkpoint, source: Obj): Obj {
  return {
    ...toValues(checkpoint.live, source),
    [INPUTS]: toValues(checkpoint.inputs, source),
    [API_VERSION]: checkpoint.inputs.apiVersion,
    [FIELD_MANAGER]: checkpoint.fieldManager,
  };
}

/** The inverse of toState, without secret wrappers. */
export function fromState(state: Obj): Checkpoint {
  const { [INPUTS]: inputs, [API_VERSION]: apiVersion, [FIELD_MANAGER]: fieldManager, ...live } = toManifest(state);
  return {
    inputs: { apiVersion, ...(inputs as Obj) } as KubeObject,
    live: live,
    fieldManager: typeof fieldManager === "string" ? fieldManager : "",
  };
}
