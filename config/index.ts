/** The configuration of a stack, checked as a whole before anything is contacted. */
import { readFileSync } from "node:fs";
import { describeIssue, show } from "./problems";
import { checkReferences, checkSecrets } from "./references";
import { type Config, resolve } from "./resolve";
import { keys, stack } from "./schema";
import { CodedError } from "../mesh/codes";
import { exposureOf } from "../mesh/exposure";
import type { IstioOperatorFacts } from "../mesh/istioOperator";
import { operatorProblems } from "../mesh/operatorRules";
import { inlineOperator, readOperator } from "../mesh/operatorText";

export type { Config, HostConfig, ServiceConfig, SshConfig, SshServer } from "./resolve";
export type { SshKey } from "./schema";

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
  /** The project's keys, without its name, with their raw text: structured values are JSON. */
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
  return { trustDomain: cluster.trustDomain, clusterName: cluster.name, exposure: exposureOf(exposure) };
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
  if (error) {
    throw new ConfigError([
      ...problems,
      ...error.issues.flatMap((issue) => describeIssue(issue, input, Object.keys(keys))),
    ]);
  }
  let operator = inlineOperator("{}");
  try {
    if (typeof data.istioOperator === "string") operator = readOperator(readFileSync(data.istioOperator, "utf8"));
    else if (source.values.istioOperator !== undefined) operator = inlineOperator(source.values.istioOperator);
  } catch (reason) {
    const [line] = (reason as Error).message.split("\n");
    problems.push(`istioOperator: ${show(input.istioOperator)} can't be read: ${line}`);
  }
  problems.push(...operatorProblems(operator.content, operatorFacts(data)));
  const config = resolve(data, operator);
  problems.push(...checkReferences(config), ...checkSecrets(data, secrets));
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}
