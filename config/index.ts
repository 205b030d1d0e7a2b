/** The configuration of a stack, checked as a whole before anything is contacted. */
import { readFileSync } from "node:fs";
import type { z } from "zod";
import { describeIssue, show } from "./problems";
import { checkFiles } from "./files";
import { checkReferences, checkSecrets } from "./references";
import { type Config, resolve } from "./resolve";
import { keys, type Stack, stack } from "./schema";
import { CodedError } from "../mesh/codes";
import { exposureOf } from "../mesh/exposure";
import type { IstioOperatorFacts, UserOperator } from "../mesh/istioOperator";
import { at } from "../mesh/json";
import { DEFAULT_CLUSTER_NAME, DEFAULT_TRUST_DOMAIN } from "../mesh/istiod";
import { operatorProblems } from "../mesh/operatorRules";
import { inlineOperator, readOperator } from "../mesh/operatorText";

export type { Config, HostConfig, IdentityType, ServiceConfig, SshConfig, SshServer } from "./resolve";
export { installationOf, isInstalled, letsPass, probedFor } from "./resolve";
export type { Authority, SshKey } from "./schema";

/** The configuration was refused: every reason, a line each. */
export class ConfigError extends CodedError {
  constructor(readonly problems: string[]) {
    super(
      "IVM201",
      `the stack's configuration has ${problems.length} problem${problems.length > 1 ? "s" : ""}:\n  ${problems.join("\n  ")}`,
    );
    this.name = "ConfigError";
  }
}

/** Where the raw values come from: Pulumi's runtime, or a test. */
export interface ConfigSource {
  /** The project's keys, without its name, with their raw text: structured values are JSON. Secrets are looked at only. */
  values: Record<string, string>;
  isSecret(key: string): boolean;
}

/** A value as Pulumi hands it over: JSON where the stack file has a list or a map, else the text itself. */
function structured(raw: string): unknown {
  if (!/^\s*[[{]/.test(raw)) return raw;
  try {
    return JSON.parse(raw);
  } catch {
    return raw; // a text that merely begins like a list: for the schema to refuse
  }
}

/** What of an IstioOperator follows from the rest. */
export function operatorFacts({ cluster, exposure }: Pick<Config, "cluster" | "exposure">): IstioOperatorFacts {
  const { trustDomain = DEFAULT_TRUST_DOMAIN, name = DEFAULT_CLUSTER_NAME } = cluster;
  return { trustDomain, clusterName: name, exposure: exposureOf(exposure, { installed: true }) };
}

/** JSON with every number as it was written. */
function verbatim(raw: string): unknown {
  type WithSource = { rawJSON(text: string): unknown; parse(text: string, reviver: Reviver): unknown };
  type Reviver = (key: string, value: unknown, context: { source?: string }) => unknown;
  // Node.js has both from 21 on.
  if (!("rawJSON" in JSON)) throw new Error(`Node.js ${process.version} is too old, see "engines" in package.json`);
  const json = JSON as unknown as WithSource;
  return json.parse(raw, (_, value, { source }) => (typeof value === "number" ? json.rawJSON(source!) : value));
}

const PLACE = "controlPlane.install.operator";

/**
 * The IstioOperator, in the file that is named or as it stands; none where it can't be read.
 *
 * @param raw the text of the key controlPlane
 */
function userOperator({ controlPlane }: Stack, raw: string | undefined, problems: string[]): UserOperator {
  const given = "install" in controlPlane ? controlPlane.install.operator : {};
  try {
    if (typeof given === "string") return readOperator(readFileSync(given, "utf8"));
    if (Object.keys(given).length === 0 || raw === undefined) return inlineOperator("{}");
    return inlineOperator(JSON.stringify(at(verbatim(raw), "install.operator")));
  } catch (reason) {
    const [line] = (reason as Error).message.split("\n");
    problems.push(`${PLACE}: ${show(given)} can't be read: ${line}`);
    return inlineOperator("{}");
  }
}

/** For what is wrong by itself, so that the rest can be looked at all the same. */
const STAND_INS: Record<string, unknown> = {
  controlPlane: { install: { version: "0.0.0" } },
  exposure: { type: "NodePort", nodeAddresses: ["192.0.2.1"] },
  sidecar: { url: "http://example.org/", sha256: "0".repeat(64) },
};

/** What of the input is right by itself, with what it refers to. */
function soundPart(input: Record<string, unknown>, issues: z.core.$ZodIssue[]): Stack {
  const wrong = new Set(issues.map(({ path }) => path[0]));
  if (wrong.has("hosts")) wrong.add("services");
  if (wrong.has("cluster")) wrong.add("controlPlane");
  const sound = Object.entries(input).filter(([key]) => key in keys && !wrong.has(key));
  return stack.parse({ ...STAND_INS, ...Object.fromEntries(sound) });
}

/**
 * Reads and checks a stack's configuration.
 *
 * @throws ConfigError naming every problem at once: path, value, what is allowed.
 */
export function parseConfig(source: ConfigSource): Config {
  const problems: string[] = [];
  const input: Record<string, unknown> = {};
  const secrets = new Set<string>();
  for (const [key, raw] of Object.entries(source.values)) {
    if (source.isSecret(key) && !(key in keys)) secrets.add(key);
    else if (source.isSecret(key)) problems.push(`${key}: is a secret; put only the secret part in a key of its own`);
    else input[key] = structured(raw);
  }
  const { data, error } = stack.safeParse(input);
  const issues = error?.issues ?? [];
  problems.push(...issues.flatMap((issue) => describeIssue(issue, input, Object.keys(keys))));
  const sound = data ?? soundPart(input, issues);
  const operator = userOperator(sound, source.values.controlPlane, problems);
  problems.push(...operatorProblems(operator.content, operatorFacts(sound)));
  const config = resolve(sound, operator);
  const secret = (name: string) => (secrets.has(name) ? source.values[name] : undefined);
  problems.push(
    ...checkReferences(config),
    // Of a plain value where a secret was meant there is a line already.
    ...checkSecrets(sound, new Set([...secrets, ...Object.keys(input)]), error === undefined),
    ...checkFiles(sound, secret),
  );
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}
