/** Differences between two property values, by Pulumi property path. */
import { isObj, plain } from "./values";

export type Change = "ADD" | "DELETE" | "UPDATE";

/** Property paths such as `spec.ports[0].name` or `metadata.labels["a.b/c"]`, and what changed there. */
export type Changes = Map<string, Change>;

/**
 * What differs between `old` and `new`, as deep as possible (a changed trigger is `triggers[0]`, not `triggers`).
 * Secret wrappers are looked through; a property that is `undefined` counts as absent.
 */
export function diffPaths(oldValue: unknown, newValue: unknown): Changes {
  const changes: Changes = new Map();
  compare(plain(oldValue), plain(newValue), "", changes);
  return changes;
}

/** The first segment of a path: the name of the top-level property. */
export const topLevel = (path: string): string => /^[\w$]+/.exec(path)?.[0] ?? path;

function compare(before: unknown, after: unknown, path: string, changes: Changes): void {
  if (before === undefined && after === undefined) return;
  if (before === undefined) changes.set(path, "ADD");
  else if (after === undefined) changes.set(path, "DELETE");
  else if (isObj(before) && isObj(after)) {
    for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
      compare(before[key], after[key], propertyPath(path, key), changes);
    }
  } else if (Array.isArray(before) && Array.isArray(after)) {
    for (let index = 0; index < Math.max(before.length, after.length); index++) {
      compare(before[index], after[index], `${path}[${index}]`, changes);
    }
  } else if (before !== after) changes.set(path, "UPDATE");
}

function propertyPath(parent: string, key: string): string {
  if (!/^[A-Za-z_$][\w$]*$/.test(key)) return `${parent}[${JSON.stringify(key)}]`;
  return parent === "" ? key : `${parent}.${key}`;
}
