/** Looking at the mesh from inside and outside. */
import { execa } from "execa";
import type { Lab } from "../../lab/paths";
import { run, until } from "../../lab/run";
import { vmExec } from "../../lab/vm";

export const SERVICE_URL = "http://vmhttp.vm.svc.cluster.local:8080";

export const kubectl = (...args: string[]) => run(["kubectl", ...args]);

export const apply = (...items: object[]) =>
  run(["kubectl", "apply", "--filename=-"], { input: JSON.stringify({ apiVersion: "v1", kind: "List", items }) });

/** The address of the pod of the namespace `default` with this label `app`. */
export const podAddress = (app: string) =>
  kubectl("get", "pods", `--selector=app=${app}`, "--output=jsonpath={.items[0].status.podIP}");

/** Who a service account is, in the lab. */
export const idOf = (namespace: string, account: string) => `spiffe://cluster.local/ns/${namespace}/sa/${account}`;

/** What the VM's application answered, and which certificates both sides of the connection had. */
export interface Answer {
  page: string;
  /** The SPIFFE ID of the server that the VM's sidecar is. */
  server?: string;
  client?: string;
}

/** What the application's page says. */
export function readPage(page: string): Answer {
  const certificates = /^x-forwarded-client-cert: (.*)$/im.exec(page)?.[1] ?? "";
  const field = (name: string) => new RegExp(`(?:^|;)${name}=([^;,]*)`).exec(certificates)?.[1];
  return { page, server: field("By"), client: field("URI") };
}

/** Requests `url` from the sample pod. @throws unless the answer is 200 */
export async function askFromPod(url = SERVICE_URL, seconds = 5, ...flags: string[]): Promise<Answer> {
  const curl = ["curl", "--silent", "--show-error", "--fail", "--max-time", `${seconds}`, ...flags, url];
  return readPage(await kubectl("exec", "deploy/sleep", "--container=sleep", "--", ...curl));
}

/** Requests from the pod until the answer is as wanted: sidecars learn of a change some moments after the cluster. */
export async function untilPodSees(
  what: string,
  wanted: (answer: Answer) => boolean,
  url?: string,
  ...flags: string[]
): Promise<Answer> {
  let last = "";
  return until(
    what,
    20,
    async () => {
      try {
        const answer = await askFromPod(url, 5, ...flags);
        last = answer.page;
        return wanted(answer) ? answer : undefined;
      } catch (error) {
        last = (error as Error).message;
        return undefined;
      }
    },
    () => `the last answer was:\n${last}`,
  );
}

/** Who answers, of so many requests of the pod: how many each, by its name. */
export async function sharesOf(requests: number): Promise<Map<string, number>> {
  const script = `for i in $(seq ${requests}); do curl --silent --max-time 5 ${SERVICE_URL} | head -n 1; done`;
  const pages = await kubectl("exec", "deploy/sleep", "--container=sleep", "--", "sh", "-c", script);
  const shares = new Map<string, number>();
  for (const [name] of pages.matchAll(/(?<=^This is )\w+/gm)) shares.set(name, (shares.get(name) ?? 0) + 1);
  return shares;
}

/** Requests a page from a VM until it is answered: its sidecar learns of a service some moments after the cluster. */
export async function untilVmIsAnswered(lab: Lab, vm: string, url: string): Promise<string> {
  let page = "";
  const script = `curl --silent --show-error --fail --max-time 5 ${url} 2>&1 || :`;
  await until(
    `an answer to ${vm} from ${url}`,
    30,
    async () => !/^curl:/m.test((page = await vmExec(lab, vm, ["sh", "-c", script]))),
    () => page,
  );
  return page;
}

/** Requests a page without the mesh, from the lab's network. */
export async function askPlainly(address: string, port: number): Promise<"answered" | "refused"> {
  const url = `http://${address}:${port}/`;
  const { exitCode, all } = await execa("curl", ["--silent", "--show-error", "--max-time", "5", url], {
    all: true,
    reject: false,
  });
  if (exitCode === 0) return "answered";
  // 56: the sidecar resets what is not mutual TLS. Anything else (no route, nobody listens) is no refusal of the mesh.
  if (exitCode === 56) return "refused";
  throw new Error(`curl ${url} ended with status ${exitCode}: ${all}`);
}

const STRICT = {
  apiVersion: "security.istio.io/v1",
  kind: "PeerAuthentication",
  metadata: { name: "e2e-strict", namespace: "vm" },
  spec: { mtls: { mode: "STRICT" } },
};

/** Does `work` while the namespace vm refuses everything but mutual TLS. */
export async function withStrictTls(work: () => Promise<void>): Promise<void> {
  await apply(STRICT);
  try {
    await work();
  } finally {
    await kubectl("delete", "peerauthentication", "--namespace=vm", "e2e-strict");
  }
}

/** Waits until a plain request meets its end as wanted: sidecars learn of a policy after a moment. */
export const untilPlainly = (result: "answered" | "refused", address: string, port: number) =>
  until(`a plain request to ${address}:${port} to be ${result}`, 20, async () => {
    return (await askPlainly(address, port)) === result;
  });
