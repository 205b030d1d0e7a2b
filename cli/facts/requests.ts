import type { Config } from "../../config";
import type { ClusterFacts, Outputs, RequestResult } from "../../diagnosis/facts";
import type { CommandError } from "../../tools/command";
import type { Kubectl } from "../../tools/kubectl";
import { unavailable } from "./answers";

const CURL = ["curl", "-sS", "-o", "/dev/null", "--max-time", "5", "-w", "%{http_code} %{time_total}"];

/** The command that runs what follows it in the sample client's pod. */
export const inSampleClient = (namespace: string) => [
  "exec",
  "deploy/sleep",
  `--namespace=${namespace}`,
  "--container=sleep",
  "--",
];

/** A request by the sample client, as any pod of the mesh would send it. */
async function request(kubectl: Kubectl, namespace: string, url: string): Promise<RequestResult> {
  try {
    const answer = await kubectl([...inSampleClient(namespace), ...CURL, url]);
    const [, status, seconds] = /^(\d{3}) ([\d.]+)$/.exec(answer.trim()) ?? [];
    if (status === undefined) return { ok: false, answer: `no answer, but ${JSON.stringify(answer.slice(0, 100))}` };
    return { ok: Number(status) < 500, answer: `HTTP ${status}`, milliseconds: Math.round(Number(seconds) * 1000) };
  } catch (error) {
    const { problem, forbidden } = unavailable(error as Error);
    if (forbidden) return { ok: false, untried: true, answer: `not asked: ${problem}` };
    return { ok: false, answer: (error as CommandError).output.split("\n")[0] ?? "no answer" };
  }
}

/** Asks each service that speaks HTTP once; undefined without a sample client to ask from. */
export async function requestServices(
  { sampleClient }: Config,
  { services }: Outputs,
  kubectl: Kubectl,
): Promise<ClusterFacts["requests"]> {
  if (sampleClient === undefined) return undefined;
  const speaking = Object.entries(services).filter(([, url]) => url.startsWith("http://"));
  const answers = speaking.map(async ([name, url]) => [name, await request(kubectl, sampleClient.namespace, url)]);
  return Object.fromEntries((await Promise.all(answers)) as [string, RequestResult][]);
}
