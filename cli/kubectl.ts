import { accessFlags } from "../tools/kubectl";
import type { Config } from "../config";
import { capture } from "../tools/command";

/** Runs kubectl on the stack's cluster and returns its stdout. @throws CommandError */
export type Kubectl = (args: string[], input?: string) => Promise<string>;

/** kubectl for a cluster. An API server that hangs is given up after 10 s. */
export function kubectlFor({ cluster }: Config): Kubectl {
  return (args, input) => capture("kubectl", [...accessFlags(cluster), "--request-timeout=10s", ...args], input);
}
