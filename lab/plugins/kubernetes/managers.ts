/** Field management of server-side apply: who owns what, and when a resource takes fields over. */
import { randomBytes } from "node:crypto";
import { isObj, Obj } from "../values";
import { Api, ApiError } from "./api";
import { annotationOf, field, KubeObject, ManagedFields } from "./objects";

/** Owns what a create (a plain POST) writes, until the first update. */
export const CREATOR = "pulumi-kubernetes";

/** Managers of plain writes whose fields an update takes over. Names count as prefixes. */
const TAKEN_OVER: Pick<ManagedFields, "manager" | "operation">[] = [
  { manager: "kubectl", operation: "Apply" },
  { manager: "kubectl", operation: "Update" },
  { manager: "before-first-apply", operation: "Update" },
  { manager: CREATOR, operation: "Update" },
  { manager: "pulumi-resource-kubernetes", operation: "Update" },
];

/** The name under which a resource owns fields: its annotation's, the state's, or a new random one. */
export function fieldManagerOf(inputs: KubeObject, recorded?: string): string {
  const chosen = annotationOf(inputs, "pulumi.com/patchFieldManager") || recorded;
  return chosen || `${CREATOR}-${randomBytes(4).toString("hex")}`;
}

export interface ForceOptions {
  enablePatchForce: boolean;
  preview: boolean;
}

/** Whether an apply may take fields over from other managers. `live` is undefined if there is no object yet. */
export function forces(inputs: KubeObject, live: KubeObject | undefined, options: ForceOptions): boolean {
  if (annotationOf(inputs, "pulumi.com/patchForce") === "true" || options.enablePatchForce) return true;
  if (!live) return options.preview;
  const managed = live.metadata.managedFields ?? [];
  if (managed.length === 0) return true;
  // A real update moves the creator's fields first; a preview cannot, so it forces instead.
  const isOurs = ({ manager, operation }: ManagedFields) =>
    operation === "Update" && (manager === CREATOR || manager === "pulumi-resource-kubernetes");
  return options.preview && managed.some(isOurs);
}

/** The JSON patch that gives a resource's manager the fields of the creator and of kubectl; empty if they own none. */
export function takeover(live: KubeObject, fieldManager: string): Obj[] {
  const { managedFields = [], resourceVersion } = live.metadata;
  const isTaken = (entry: ManagedFields) =>
    !entry.subresource &&
    TAKEN_OVER.some(({ manager, operation }) => entry.manager.startsWith(manager) && entry.operation === operation);
  const isOwn = (entry: ManagedFields) =>
    entry.manager === fieldManager && entry.operation === "Apply" && !entry.subresource;
  const taken = managedFields.filter((entry) => isTaken(entry) && !isOwn(entry));
  const [first] = taken;
  if (!first) return [];
  const own = managedFields.find(isOwn) ?? first;
  const fieldsV1 = [own, ...taken].reduce<Obj>((all, entry) => union(all, entry.fieldsV1 ?? {}), {});
  const merged: ManagedFields = { ...own, manager: fieldManager, operation: "Apply", fieldsV1 };
  const others = managedFields.filter((entry) => !isOwn(entry) && !taken.includes(entry));
  return [
    { op: "replace", path: "/metadata/managedFields", value: [...others, merged] },
    { op: "replace", path: "/metadata/resourceVersion", value: resourceVersion },
  ];
}

/** Sets of fields are trees of objects. */
function union(left: Obj, right: Obj): Obj {
  const result = { ...left };
  for (const [key, part] of Object.entries(right)) {
    const present = result[key];
    result[key] = isObj(present) && isObj(part) ? union(present, part) : part;
  }
  return result;
}

/**
 * Inputs for an apply that leaves ignored fields as they are: without those that only others own, and with the live
 * value of the rest. As in the real provider, only paths of plain names (`spec.replicas`) are looked at.
 */
export function withoutIgnored(
  inputs: KubeObject,
  live: KubeObject,
  fieldManager: string,
  ignoreChanges: string[],
): KubeObject {
  const result = structuredClone(inputs);
  const managed = live.metadata.managedFields ?? [];
  for (const ignored of ignoreChanges) {
    const path = ignored.split(".");
    const owners = managed.filter(({ fieldsV1 }) => field(fieldsV1, ...path.map((name) => `f:${name}`)) !== undefined);
    const value = field(live, ...path);
    if (owners.length > 0 && owners.every(({ manager }) => manager !== fieldManager)) setField(result, path, undefined);
    else if (value !== undefined) setField(result, path, value);
  }
  return result;
}

/** Sets (or, with undefined, removes) the value at a path of names; makes the objects on the way when it sets one. */
function setField(object: Obj, path: string[], value: unknown): void {
  const [name = "", ...rest] = path;
  if (rest.length === 0) {
    if (value === undefined) delete object[name];
    else object[name] = value;
    return;
  }
  if (object[name] === undefined && value !== undefined) object[name] = {};
  const next = object[name];
  if (isObj(next)) setField(next, rest, value);
}

/** Says of a conflict who wanted the fields and what to do; other errors come back as they are. */
export function explainConflict(error: unknown, fieldManager: string): unknown {
  if (!(error instanceof ApiError) || error.reason !== "Conflict") return error;
  return new ApiError(
    error.code,
    "server-side apply field conflict detected. " +
      `The resource managed by field manager "${fieldManager}" had an apply conflict: ${error.message}\n` +
      "Leave the fields out of the program, or annotate the resource with pulumi.com/patchForce: " +
      '"true" to take them over',
    error.reason,
    error.details,
  );
}

/** Gives up all fields of a manager by applying nothing. Fields without any manager get their defaults. */
export async function relinquish(api: Api, object: KubeObject, fieldManager: string): Promise<void> {
  const { apiVersion, kind, metadata } = object;
  const identity = { apiVersion, kind, metadata: { name: metadata.name, namespace: metadata.namespace } };
  await api.apply(identity, { fieldManager, dryRun: false, force: false });
}
