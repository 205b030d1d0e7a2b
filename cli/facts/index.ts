import type { Facts, HostFacts, Unavailable } from "../../diagnosis/facts";
import { kubectlFor } from "../../tools/kubectl";
import type { Progress } from "../progress";
import { requireConfig, type Stack } from "../stack";
import { lookAtCluster, readCaCerts } from "./cluster";
import { inspectHosts } from "./hosts";
import { lookAround } from "./local";
import { lookAtTools } from "./tools";

const unavailable = ({ message }: Error): Unavailable => ({
  problem: message,
  forbidden: /\(Forbidden\)/.test(message),
});

/** Cluster and hosts. The cluster's CA comes first: hosts are asked whether istiod proves to be of it. */
async function lookOutside(
  stack: Stack,
  progress: Progress,
): Promise<{ cluster: Facts["cluster"]; hosts: HostFacts[] }> {
  if (stack.config === undefined) return { cluster: { problem: "the configuration is not valid" }, hosts: [] };
  const known = requireConfig(stack);
  const kubectl = kubectlFor(known.config.cluster);
  progress.step("cluster");
  const cacerts = await readCaCerts(kubectl).catch(unavailable);
  const answers = cacerts === undefined || !("problem" in cacerts);
  const [cluster, hosts] = await Promise.all([
    answers ? lookAtCluster(known, kubectl, cacerts).catch(unavailable) : cacerts,
    inspectHosts(known, answers ? cacerts?.rootCert : undefined, progress.count("hosts", known.config.hosts.length)),
  ]);
  return { cluster, hosts };
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
