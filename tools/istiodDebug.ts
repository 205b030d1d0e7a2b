/** What istiods say of themselves: their debug interface (pilot/pkg/xds/debug.go), which answers within their pods only. */
import { at } from "../mesh/json";
import type { SyncStatus } from "../mesh/withdrawal";
import { parseJson } from "./command";
import { type Kubectl, list } from "./kubectl";

interface Istiod {
  namespace: string;
  name: string;
}

/** @throws CommandError */
function request(kubectl: Kubectl, { namespace, name }: Istiod, path: string): Promise<string> {
  const words = ["exec", `--namespace=${namespace}`, name, "--container=discovery", "--"];
  return kubectl([...words, "pilot-discovery", "request", "GET", `/debug/${path}`]);
}

/** What an istiod answers at its debug interface. @throws CommandError */
export async function debug<T>(kubectl: Kubectl, istiod: Istiod, path: string): Promise<T> {
  return parseJson<T>(await request(kubectl, istiod, path), `istiod ${istiod.namespace}/${istiod.name}`);
}

/** Has an istiod send every proxy everything once more. It says how many there are, in words. @throws CommandError */
export const pushToAll = (kubectl: Kubectl, istiod: Istiod) => request(kubectl, istiod, "adsz?push=true");

/** The pods of istiod that run. */
export async function istiodPods(kubectl: Kubectl, namespaces: string[]): Promise<Istiod[]> {
  const pods = await Promise.all(
    namespaces.map((namespace) => list(kubectl, "pods", `--namespace=${namespace}`, "--selector=app=istiod")),
  );
  return pods
    .flat()
    .filter((pod) => at(pod, "status.phase") === "Running" && at(pod, "metadata.deletionTimestamp") === undefined)
    .map(({ metadata: { name, namespace = "" } }) => ({ name, namespace }));
}

/** What an istiod has sent to each proxy that is connected to it. @throws CommandError */
export const syncOf = (kubectl: Kubectl, istiod: Istiod) => debug<SyncStatus[]>(kubectl, istiod, "syncz");

/** The same of all istiods. @throws CommandError */
export async function connectedProxies(kubectl: Kubectl, namespaces: string[]): Promise<SyncStatus[]> {
  const pods = await istiodPods(kubectl, namespaces);
  return (await Promise.all(pods.map((pod) => syncOf(kubectl, pod)))).flat();
}
