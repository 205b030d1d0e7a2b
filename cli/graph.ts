import type { AuthorizationPolicy } from "../diagnosis/access";
import { renderGraph } from "../diagnosis/graph";
import { kubectlFor, list } from "../tools/kubectl";
import { isAvailable, isUnavailable } from "../diagnosis/facts";
import { unavailable } from "./facts/answers";
import { print } from "./output";
import { startProgress } from "./progress";
import { readStack, requireConfig } from "./stack";
import { look } from "./status";

/** Prints the mesh as a Mermaid flowchart. @returns the exit code */
export async function graph({ stack: name }: { stack?: string }): Promise<number> {
  const progress = startProgress();
  progress.step("the stack");
  const stack = requireConfig(await readStack(name));
  const { config, outputs } = stack;
  const kubectl = kubectlFor(config.cluster);
  const [status, policies] = await Promise.all([
    look(stack, progress),
    outputs === undefined
      ? []
      : list<AuthorizationPolicy>(kubectl, "authorizationpolicies.security.istio.io", "--all-namespaces").catch(
          unavailable,
        ),
  ]);
  if (isUnavailable(policies)) process.stderr.write(`istio-vm: who may call is not known: ${policies.problem}\n`);
  print(renderGraph(config, outputs, status, isAvailable(policies) ? policies : undefined, new Date()));
  return 0;
}
