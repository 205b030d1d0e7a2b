import type { Config } from "../../config";
import type { ClusterFacts, Outputs, RequestResult } from "../../diagnosis/facts";
import type { CommandError } from "../../tools/command";
import type { Kubectl } from "../../tools/kubectl";

const CURL = ["curl", "-sS", "-o", "/dev/null", "--max-time", "5", "-w", "%{http_code} %{time_total}"];

/** A request by the sample client, as any pod of the mesh would send it. */
async function request(kubectl: Kubectl, namespace: string, url: string): Promise<RequestResult> {
  const exec = ["exec", "deploy/sleep", `--namespace=${namespace}`, "--container=sleep", "--"];
  try {
    const [status = "", seconds = ""] = (await kubectl([...exec, ...CURL, url])).split(" ");
    return { ok: Number(status) < 500, answer: `HTTP ${status}`, milliseconds: Math.round(Number(seconds) * 1000) };
  } catch (error) {
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
