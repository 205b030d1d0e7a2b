import { type Facts, type HostFacts, isAvailable, isUnavailable } from "../../diagnosis/facts";
import { isInstalled } from "../../config";
import { kubectlFor } from "../../tools/kubectl";
import type { Progress } from "../progress";
import { requireConfig, type Stack } from "../stack";
import { unavailable } from "./answers";
import { readCaCerts } from "../../tools/caCerts";
import { lookAtCluster, readExisting, readVersion } from "./cluster";
import { inspectHosts } from "./hosts";
import { lookAround } from "./local";
import { readSurroundings } from "./surroundings";
import { lookAtTools } from "./tools";

/** Cluster and hosts. The cluster's CA comes first: hosts are asked whether istiod proves to be of it. */
async function lookOutside(
  stack: Stack,
  progress: Progress,
): Promise<Pick<Facts, "cluster" | "hosts" | "surroundings">> {
  if (stack.config === undefined) return { cluster: { problem: "the configuration is not valid" }, hosts: [] };
  const known = requireConfig(stack);
  const kubectl = kubectlFor(known.config.cluster);
  progress.step("cluster");
  const [version, cacerts, existing] = await Promise.all([
    readVersion(kubectl).catch(unavailable),
    isInstalled(known.config) ? readCaCerts(kubectl).catch(unavailable) : undefined,
    readExisting(known.config, kubectl).catch(unavailable),
  ]);
  // Whom it tells that he may not ask has reached it.
  const silent = isAvailable(version) || version.forbidden ? undefined : version;
  const rootCerts = existing !== undefined && "rootCerts" in existing ? existing.rootCerts : undefined;
  const rootCert = rootCerts ?? (isAvailable(cacerts) ? cacerts?.rootCert : undefined);
  const [cluster, hosts] = await Promise.all([
    silent ?? lookAtCluster(known, kubectl, { version, cacerts, existing }),
    inspectHosts(known, rootCert, progress.count("hosts", known.config.hosts.length)),
  ]);
  const isNew = (host: HostFacts) => "inspection" in host && host.inspection.joined === undefined;
  const surroundings =
    !isUnavailable(cluster) && hosts.some(isNew) ? await readSurroundings(known, kubectl, cluster) : undefined;
  return { cluster, hosts, surroundings };
}

/** Gathers everything that the checks judge, and changes nothing. */
export async function gather(stack: Stack, progress: Progress): Promise<Facts> {
  const [tools, local, outside] = await Promise.all([lookAtTools(), lookAround(stack), lookOutside(stack, progress)]);
  progress.end();
  return {
    now: new Date(),
    tools,
    stackProblem: stack.problem,
    configProblems: stack.configProblems,
    config: stack.config,
    local,
    owner: stack.owner,
    outputs: stack.outputs,
    ...outside,
  };
}
