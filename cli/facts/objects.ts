import type { ClusterObject } from "../../diagnosis/clusterObjects";
import { parseJson } from "../../tools/command";
import type { Kubectl } from "../../tools/kubectl";

/** What `kubectl get` lists. @throws CommandError, or if it answers something else than a list */
export async function list<T = ClusterObject>(kubectl: Kubectl, ...args: string[]): Promise<T[]> {
  const what = `kubectl get ${args[0]}`;
  const { items } = parseJson<{ items?: T[] }>(await kubectl(["get", ...args, "--output=json"]), what);
  if (!Array.isArray(items)) throw new Error(`${what}: it answered no list`);
  return items;
}

/** The EndpointSlices of a Service. */
export const slicesOf = (kubectl: Kubectl, namespace: string, service: string) =>
  list(kubectl, "endpointslices", `--namespace=${namespace}`, `--selector=kubernetes.io/service-name=${service}`);
