import type { AuthorizationPolicy } from "../diagnosis/access";
import { renderGraph } from "../diagnosis/graph";
import { kubectlFor } from "../tools/kubectl";
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
  const policies = ["get", "authorizationpolicies.security.istio.io", "--all-namespaces", "--output=json"];
  const [status, list] = await Promise.all([
    look(stack, progress),
    outputs === undefined ? '{"items":[]}' : kubectlFor(config.cluster)(policies),
  ]);
  const { items } = JSON.parse(list) as { items: AuthorizationPolicy[] };
  print(renderGraph(config, outputs, status, items, new Date()));
  return 0;
}
