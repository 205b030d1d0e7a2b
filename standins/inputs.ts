/** Checks the inputs of a resource: what a stand-in does not know, it refuses. */
import { CheckError, Failure } from "./errors";
import { isAsset, isObj, isSecret, Obj, UNKNOWN } from "./values";

/** The type of an input; a list gives the accepted values. */
export type Shape =
  "string" | "integer" | "boolean" | "asset" | readonly (string | boolean)[] | { items: Shape } | Fields;

/** An object with exactly these properties, of which those in `required` must be there. */
export interface Fields {
  fields: Record<string, Shape>;
  required?: readonly string[];
}

/** Throws CheckError with every input that is missing, of the wrong type, or not implemented. Never shows a value. */
export function checkInputs(news: Obj, fields: Fields): void {
  const failures = [...problems(news, fields, "")];
  if (failures.length > 0) throw new CheckError(failures);
}

function* problems(value: unknown, shape: Shape, path: string): Generator<Failure> {
  if (isSecret(value)) {
    yield* problems(value.value, shape, path);
  } else if (value === UNKNOWN) {
    return;
  } else if (typeof shape === "string") {
    if (!BASIC[shape](value)) yield { property: path, reason: `must be of type ${shape}` };
  } else if (isList(shape)) {
    if (!shape.includes(value as string | boolean))
      yield { property: path, reason: `must be one of ${shape.join(", ")}` };
  } else if ("items" in shape) {
    if (!Array.isArray(value)) yield { property: path, reason: "must be a list" };
    else for (const [index, item] of value.entries()) yield* problems(item, shape.items, `${path}[${index}]`);
  } else if (!isObj(value)) {
    yield { property: path, reason: "must be an object" };
  } else {
    yield* fieldProblems(value, shape, path === "" ? "" : `${path}.`);
  }
}

function* fieldProblems(value: Obj, { fields, required = [] }: Fields, prefix: string): Generator<Failure> {
  for (const [key, item] of Object.entries(value)) {
    const shape = fields[key];
    if (item === undefined) continue;
    if (shape) yield* problems(item, shape, prefix + key);
    else yield { property: prefix + key, reason: "does not exist, or the stand-in does not implement it" };
  }
  for (const key of required) {
    if (value[key] === undefined)
      yield { property: prefix + key, reason: `missing required property '${prefix + key}'` };
  }
}

const BASIC = {
  string: (value: unknown) => typeof value === "string",
  integer: (value: unknown) => Number.isInteger(value),
  boolean: (value: unknown) => typeof value === "boolean",
  asset: isAsset,
};

const isList = (shape: Shape): shape is readonly (string | boolean)[] => Array.isArray(shape);
