/** What istiods say of themselves: their debug interface (pilot/pkg/xds/debug.go), which answers within their pods only. */
import { at } from "../mesh/istioOperator";
import { parseJson } from "./command";
import { type Kubectl, list } from "./kubectl";

/** What an istiod answers at its debug interface. @throws CommandError */
export async function debug<T>(
  kubectl: Kubectl,
  { namespace, name }: { namespace: string; name: string },
  path: string,
) {
  const words = ["exec", `--namespace=${namespace}`, name, "--container=discovery", "--"];
  const text = await kubectl([...words, "pilot-discovery", "request", "GET", `/debug/${path}`]);
  return parseJson<T>(text, `istiod ${namespace}/${name}`);
}

/** The pods of istiod that run. */
export async function istiodPods(kubectl: Kubectl, namespaces: string[]) {
  const pods = await Promise.all(
    namespaces.map((namespace) => list(kubectl, "pods", `--namespace=${namespace}`, "--selector=app=istiod")),
  );
  return pods
    .flat()
    .filter((pod) => at(pod, "status.phase") === "Running" && at(pod, "metadata.deletionTimestamp") === undefined)
    .map(({ metadata: { name, namespace = "" } }) => ({ name, namespace }));
}
