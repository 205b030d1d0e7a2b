import { dnsServices, hasReadyEndpoint } from "../../diagnosis/clusterObjects";
import type { ClusterFacts } from "../../diagnosis/facts";
import type { CommandError } from "../../tools/command";
import { type Kubectl, list } from "../../tools/kubectl";
import type { ConfiguredStack } from "../stack";
import { slicesOf } from "./objects";
import { inSampleClient } from "./requests";

/** Whether a name of the cluster resolves in the sample client's pod; undefined where that can't be told. */
async function resolves({ config, outputs }: ConfiguredStack, kubectl: Kubectl): Promise<boolean | undefined> {
  const { sampleClient, cluster } = config;
  if (sampleClient === undefined || outputs === undefined) return undefined;
  const url = `http://kubernetes.default.svc.${cluster.domain}:443/`;
  try {
    await kubectl([
      ...inSampleClient(sampleClient.namespace),
      "curl",
      "-sS",
      "-o",
      "/dev/null",
      "--max-time",
      "5",
      url,
    ]);
    return true;
  } catch (error) {
    const { output } = error as CommandError;
    if (/curl: \(6\)|Resolving timed out/.test(output)) return false;
    // Whatever else curl says, it had an address to go to.
    return /curl: \(\d+\)/.test(output) ? true : undefined;
  }
}

/**
 * Asks the cluster's DNS, from a pod if there is one: which server pods are told differs from one distribution to the
 * next. Else looks whether a Service that is known as such a server has an endpoint.
 */
export async function lookAtDns(stack: ConfiguredStack, kubectl: Kubectl): Promise<ClusterFacts["dns"]> {
  const answer = await resolves(stack, kubectl);
  if (answer) return { resolves: answer, servers: [] };
  const servers = dnsServices(await list(kubectl, "services", "--all-namespaces"));
  const ready = servers.map(async ({ metadata: { namespace = "", name } }) => ({
    name: `${namespace}/${name}`,
    ready: hasReadyEndpoint(await slicesOf(kubectl, namespace, name)),
  }));
  return { resolves: answer, servers: await Promise.all(ready) };
}
