/** How a mistake in the configuration reads. */
import type { z } from "zod";

/** What a URL may hold that opens something: user and password, or a query. */
const URL_SECRETS = /([a-z][a-z0-9+.-]*:\/\/)[^\s"]*(?:@|[?#][^\s"]*)([^\s"]*)/gi;

/** A value as it may be shown: short, on one line, and never a key. */
export function show(value: unknown): string {
  if (value === undefined) return "nothing";
  const json = JSON.stringify(value).replace(URL_SECRETS, "$1...$2");
  if (json.includes("PRIVATE KEY")) return "a private key";
  return json.length > 60 ? `${json.slice(0, 57)}...` : json;
}

/** What had another name in an earlier version. */
const MOVED: Record<string, string> = {
  istioVersion: "is controlPlane.install.version now",
  istioOperator: "is controlPlane.install.operator now",
  "exposure.nodeAddress": "is exposure.nodeAddresses now, a list",
};

function pathText(path: PropertyKey[]): string {
  return path.reduce<string>((at, part) => {
    if (typeof part === "number") return `${at}[${part}]`;
    const name = String(part);
    if (!/^[\w./-]+$/.test(name)) return `${at}[${show(name)}]`;
    return at === "" ? name : `${at}.${name}`;
  }, "");
}

/**
 * One finding of the schema as lines for a person: the path, the value, and what is allowed there.
 *
 * @param topLevel the top-level keys that exist, named where one is unknown
 */
export function describeIssue(issue: z.core.$ZodIssue, input: unknown, topLevel: string[]): string[] {
  const place = pathText(issue.path);
  const value = issue.path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key], input);
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => {
      const path = pathText([...issue.path, key]);
      if (MOVED[path] !== undefined) return `${path}: ${MOVED[path]}`;
      return place === ""
        ? `${key}: unknown key; there are ${topLevel.join(", ")}, and the secrets that they name`
        : `${path}: unknown field`;
    });
  }
  if (issue.code === "invalid_union" && typeof value === "object" && value !== null) {
    // The alternative that fits best says more than "none fits": a typo in one of its fields, for example. The deeper
    // its findings lie, the better it fits; one of another type than the value does not fit at all.
    const depth = (findings: z.core.$ZodIssue[]) => Math.min(...findings.map(({ path }) => path.length));
    const [best] = issue.errors
      .filter((findings) => findings.every(({ path, code }) => path.length > 0 || code === "unrecognized_keys"))
      .sort((a, b) => depth(b) - depth(a) || a.length - b.length);
    if (best !== undefined) {
      return best.flatMap((inner) =>
        describeIssue({ ...inner, path: [...issue.path, ...inner.path] }, input, topLevel),
      );
    }
  }
  if (issue.code === "invalid_key") {
    return issue.issues.map(({ message }) => `${place}: the name is not allowed; expected ${message}`);
  }
  return value === undefined
    ? [`${place}: missing; expected ${issue.message}`]
    : [`${place}: ${show(value)} is not allowed; expected ${issue.message}`];
}
