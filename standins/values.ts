/**
 * Property values as they travel between the engine and a provider plugin: plain JavaScript values, in which a secret
 * and an asset are objects with a signature and an unknown value (preview only) is a reserved string.
 */
import { JavaScriptValue, Struct } from "google-protobuf/google/protobuf/struct_pb";

export type Obj = Record<string, unknown>;

/** The key whose value says what kind of special object this is. */
export const SIGNATURE = "4dabf18193072939515e22adb298388d";
const SECRET = "1b47061264138c4ac30d75fd1eb44270";
const ASSET = "c44067f5952c0a294b673a41bacd8c17";

/** Stands for a value that is not known before the update. */
export const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

export interface Secret {
  [SIGNATURE]: typeof SECRET;
  value: unknown;
}

/** A file's content (`text`), or where it lies (`path`, `uri`). */
export interface Asset {
  [SIGNATURE]: typeof ASSET;
  hash?: string;
  text?: string;
  path?: string;
  uri?: string;
}

/** True for objects that are neither arrays nor null; secrets and assets are objects, too. */
export const isObj = (value: unknown): value is Obj =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export const isSecret = (value: unknown): value is Secret => isObj(value) && value[SIGNATURE] === SECRET;
export const isAsset = (value: unknown): value is Asset => isObj(value) && value[SIGNATURE] === ASSET;

/** `value`, marked as a secret; a secret stays as it is. */
export const secret = (value: unknown): Secret => (isSecret(value) ? value : { [SIGNATURE]: SECRET, value });

/** A copy without secret wrappers at any depth. Unknowns and assets stay. */
export function plain<T = unknown>(value: unknown): T;
export function plain(value: unknown): unknown {
  if (isSecret(value)) return plain(value.value);
  if (Array.isArray(value)) return value.map((element) => plain(element));
  if (isObj(value)) return mapValues(value, (element) => plain(element));
  return value;
}

/** True if an unknown is anywhere inside. */
export const hasUnknown = (value: unknown): boolean => some(value, (part) => part === UNKNOWN);

/** True if a secret is anywhere inside. */
export const hasSecret = (value: unknown): boolean => some(value, isSecret);

/**
 * Marks as secret in `out` whatever is secret at the same place in `source`: otherwise a provider that echoes its inputs
 * would write them to the state in plain. Where a part of `source` holds secrets and the shapes differ (another type,
 * another number of elements), the whole part becomes secret.
 */
export function likeSecrets<T>(out: T, source: unknown): T;
export function likeSecrets(out: unknown, source: unknown): unknown {
  if (isSecret(out) || out === undefined || !hasSecret(source)) return out;
  if (Array.isArray(out) && Array.isArray(source) && out.length === source.length) {
    return out.map((element, index): unknown => likeSecrets(element, source[index]));
  }
  if (isObj(out) && isObj(source) && !isSecret(source)) {
    return mapValues(out, (element, key): unknown => likeSecrets(element, source[key]));
  }
  return secret(out);
}

/** The JavaScript form of a protobuf Struct; an absent one is an empty object. */
export const fromStruct = (struct: Struct | undefined): Obj => struct?.toJavaScript() ?? {};

/** The protobuf form of an object; properties that are `undefined` are left out. */
export const toStruct = (value: Obj): Struct =>
  Struct.fromJavaScript(withoutUndefined(value) as Record<string, JavaScriptValue>);

function withoutUndefined(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutUndefined);
  if (!isObj(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, element]) => element !== undefined)
      .map(([key, element]) => [key, withoutUndefined(element)]),
  );
}

const mapValues = (object: object, map: (value: unknown, key: string) => unknown): Obj =>
  Object.fromEntries(Object.entries(object).map(([key, value]) => [key, map(value, key)]));

function some(value: unknown, test: (part: unknown) => boolean): boolean {
  if (test(value)) return true;
  return typeof value === "object" && value !== null && Object.values(value).some((part) => some(part, test));
}
