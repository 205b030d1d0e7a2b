import { getProject, runtime } from "@pulumi/pulumi";
import { type Config, parseConfig } from "./index";

/** The configuration of the stack that Pulumi is running. @throws ConfigError naming every problem at once */
export function loadConfig(): Config {
  const prefix = `${getProject()}:`;
  const entries = Object.entries(runtime.allConfig()).filter(([key]) => key.startsWith(prefix));
  // The SDK knows which keys are secret, but does not export it: this is the variable that it reads.
  const secretKeys = JSON.parse(process.env.PULUMI_CONFIG_SECRET_KEYS ?? "[]") as string[];
  return parseConfig({
    values: Object.fromEntries(entries.map(([key, raw]) => [key.slice(prefix.length), raw])),
    isSecret: (key) => secretKeys.includes(prefix + key),
  });
}
