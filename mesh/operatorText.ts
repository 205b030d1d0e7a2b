import { isDeepStrictEqual } from "node:util";
import { loadAll, YAML11_SCHEMA } from "js-yaml";
import type { UserOperator } from "./istioOperator";
import { isObject, type JsonObject } from "./json";

/** As istioctl reads it: YAML 1.1, with merge keys; of a key that stands twice, the last counts. */
function documents(text: string): unknown[] {
  return loadAll(text, { schema: YAML11_SCHEMA, json: true });
}

/** What istioctl insists on in every file. Whoever gives fields alone need not know. */
const KIND = { kind: "IstioOperator" };

/** The text with a kind of its own, in front of what stands there. */
function withKind(text: string): string {
  const [, head = "", body = ""] = /^((?:\ufeff|%.*\n|---[ \t]*\r?\n|[ \t]*(?:#.*)?\r?\n)*)([\s\S]*)$/.exec(text) ?? [];
  if (body.trim() === "" || /^\{\s*\}\s*$/.test(body)) return JSON.stringify(KIND);
  const flow = /^\s*\{/.exec(body);
  if (flow !== null) {
    return `${head}${flow[0]}"kind": "${KIND.kind}", ${body.slice(flow[0].length)}`;
  }
  return `${head}kind: ${KIND.kind}\n${body}`;
}

/**
 * An IstioOperator in YAML.
 *
 * @throws if it can't be read, or is no single map, in words for the user
 */
export function readOperator(given: string): UserOperator {
  const text = given.replace(/^\ufeff/, "");
  const found = documents(text).filter((document) => document !== null && document !== undefined);
  if (found.length > 1) {
    const kinds = found.map((document) =>
      isObject(document) && typeof document.kind === "string" ? document.kind : "?",
    );
    throw new Error(
      `it has ${found.length} documents (${kinds.join(", ")}), but istioctl takes one IstioOperator: put all of it into one`,
    );
  }
  if (found.length === 0) throw new Error("expected a document, but the input is empty");
  const content = found[0];
  if (!isObject(content)) throw new Error("it is no map");
  if (content.kind !== undefined && content.kind !== null) return { text, content };
  const complete = withKind(text);
  // A text in a form that was not thought of.
  if (content.kind === null || !isDeepStrictEqual(documents(complete)[0], { ...KIND, ...content })) {
    throw new Error("it has no kind; expected kind: IstioOperator");
  }
  return { text: complete, content };
}

/** Characters that JSON may hold as they are, but YAML not, or not in the same meaning. */
const NOT_IN_YAML = /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g;

/** An IstioOperator that stands in the stack's own file: JSON, in which every number is as it was written. */
export function inlineOperator(json: string): UserOperator {
  const content = JSON.parse(json) as JsonObject;
  const text = json.replace(NOT_IN_YAML, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
  const { kind } = content;
  return { text: kind === undefined ? withKind(text) : text, content };
}
