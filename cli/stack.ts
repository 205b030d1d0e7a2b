import { join } from "node:path";
import { type Config, ConfigError, parseConfig } from "../config";
import type { Outputs } from "../diagnosis/facts";
import { capture, parseJson } from "../tools/command";

/** The folder of the Pulumi program; paths in its configuration begin there. */
export const project = join(__dirname, "..");
const PREFIX = "pulumi-istio-vm:";

/** What the commands know of a stack: its configuration and its outputs. They keep no state of their own. */
export interface Stack {
  /** Why it can't be read; then nothing else is known. */
  problem?: string;
  /** Undefined if it is not valid, for the reasons in `configProblems`. */
  config?: Config;
  configProblems: string[];
  /** The mark that everything carries that the stack makes; undefined before its first update begins. */
  owner?: string;
  /** Undefined before its first update has ended well. */
  outputs?: Outputs;
  /** The value of a secret key of the configuration. It must never be shown. */
  secret: (name: string) => string;
}

/** A stack whose configuration is valid. */
export type ConfiguredStack = Stack & { config: Config };

/** A value of `pulumi config --json`. */
interface Value {
  value?: string;
  secret: boolean;
}

/**
 * Reads a stack through the Pulumi CLI, with its secrets.
 *
 * @param name default: the stack that is selected
 */
export async function readStack(name?: string): Promise<Stack> {
  const pulumi = (...args: string[]) =>
    capture("pulumi", [...args, "--non-interactive", ...(name === undefined ? [] : ["--stack", name])]);
  let values: Record<string, Value>;
  let outputs: Outputs | undefined;
  let owner: string | undefined;
  try {
    const [config, output] = await Promise.all([
      pulumi("config", "--json", "--show-secrets"),
      pulumi("stack", "output", "--json"),
    ]);
    const all = Object.entries(parseJson<Record<string, Value>>(config, "pulumi config"));
    values = Object.fromEntries(
      all.flatMap(([key, value]) => (key.startsWith(PREFIX) ? [[key.slice(PREFIX.length), value]] : [])),
    );
    const found = parseJson<Partial<Outputs> & { owner?: string }>(output, "pulumi stack output");
    outputs = found.services === undefined ? undefined : (found as Outputs);
    // The first update may have been cut off: there are no outputs then, but much else.
    owner = found.owner ?? ownerIn(await pulumi("stack", "export"));
  } catch (error) {
    return { problem: (error as Error).message.split("\n")[0], configProblems: [], secret: () => "" };
  }
  const secret = (key: string) => values[key]?.value ?? "";
  try {
    const config = parseConfig({
      values: Object.fromEntries(Object.entries(values).map(([key, { value = "" }]) => [key, value])),
      isSecret: (key) => values[key]?.secret ?? false,
    });
    return { config, configProblems: [], owner, outputs, secret };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { configProblems: error.problems, owner, outputs, secret };
  }
}

/** The owner mark in a stack's state, as `pulumi stack export` prints it. */
function ownerIn(state: string): string | undefined {
  const { deployment } = parseJson<{
    deployment?: { resources?: { urn: string; outputs?: { hex?: string } }[] };
  }>(state, "pulumi stack export");
  return deployment?.resources?.find(({ urn }) => urn.endsWith("RandomId::owner"))?.outputs?.hex;
}

/** The stack, for what can do nothing without its configuration. @throws saying why it can't be used */
export function requireConfig(stack: Stack): ConfiguredStack {
  if (stack.problem !== undefined) throw new Error(`the stack can't be read: ${stack.problem}`);
  if (stack.config === undefined) throw new ConfigError(stack.configProblems);
  return { ...stack, config: stack.config };
}
