/** Waits until nobody is sent to a host any more: what a leave needs, so that no request fails by it. */
import { setTimeout as delay } from "node:timers/promises";
import { quote } from "../mesh/shell";
import type { ServiceName } from "../mesh/externalService";
import {
  type EndpointShards,
  type KnownConfig,
  notPlain,
  pendingProxies,
  proxyOf,
  sentTo,
  servicesAt,
} from "../mesh/withdrawal";
import { LEAVING } from "../mesh/workloadEntry";
import { debug, istiodPods, pushToAll, syncOf } from "./istiodDebug";
import { accessFlags, type ClusterAccess, type Kubectl } from "./kubectl";

export interface Withdrawal {
  /** The host's name in the stack. */
  host: string;
  /** At which pods reach it. */
  address: string;
  /** Its SPIFFE ID. */
  identity: string;
  /** The namespaces of the control planes whose proxies may be sent there. */
  istiods: string[];
  /** `NAMESPACE/NAME` of its WorkloadEntry, if it is probed: its sidecar goes on to say that it can serve. */
  entry?: string;
  /** It stays, and clients shall speak plain text to these services of its. Default: nobody shall be sent there any more. */
  plain?: ServiceName[];
}

/**
 * Milliseconds: in which istiod hears of what the cluster knows, else the entry is somebody else's and stays; that proxies
 * are given after that; between two questions.
 */
const LIMITS = { istiod: 10_000, proxies: 60_000, pause: 300 };

/** The command of the command line that does it, for a shell in the program's folder: npx would take as long as all the rest. */
export function withdrawalCommand(withdrawal: Withdrawal, access: ClusterAccess): string {
  const { host, address, identity, istiods, entry } = withdrawal;
  const entryFlag = entry === undefined ? [] : [`--entry=${entry}`];
  const words = ["withdrawn", host, address, identity, ...istiods, ...entryFlag, ...accessFlags(access)];
  return `node cli/istio-vm.cjs ${words.map(quote).join(" ")}`;
}

/**
 * Waits until no istiod has the host as an endpoint, and until every proxy has confirmed endpoints that it was sent after
 * that: all are sent them once more, for a proxy that has confirmed what it has may not have been sent the news yet.
 *
 * @param say a line of what came of it
 * @returns when it is so, or when it can't be waited for any longer, which it then says
 */
export async function awaitWithdrawal(
  { host, address, identity, istiods, entry, plain }: Withdrawal,
  kubectl: Kubectl,
  say: (line: string) => void,
  { pause, ...limits } = LIMITS,
): Promise<void> {
  const tell = (line: string) => say(`${host}: withdraw ${line}`);
  const end =
    plain === undefined ? "it is no endpoint any more" : "they speak plain text to what its sidecar does not take";
  /** Asks until there is nothing more of it. */
  const untilNone = async (limit: number, ask: () => Promise<string[]>): Promise<string[]> => {
    const end = performance.now() + limit;
    for (;;) {
      const rest = [...new Set(await ask())];
      if (rest.length === 0 || performance.now() > end) return rest;
      await delay(pause);
    }
  };
  try {
    const pods = await istiodPods(kubectl, istiods);
    if (pods.length === 0) {
      tell(`! no istiod runs in ${istiods.join(", ")} that could be asked who is sent there`);
      return;
    }
    if (entry !== undefined && plain === undefined) await sayLeaving(entry, kubectl);
    const ofAll = async <T>(ask: (pod: (typeof pods)[number]) => Promise<T[]>) =>
      (await Promise.all(pods.map(ask))).flat();
    const services = await untilNone(limits.istiod, () =>
      ofAll(async (pod) =>
        plain === undefined
          ? servicesAt(await debug<EndpointShards>(kubectl, pod, "endpointShardz"), address, identity, host)
          : notPlain(await debug<KnownConfig[]>(kubectl, pod, "configz"), plain),
      ),
    );
    if (services.length > 0) {
      tell(
        plain === undefined
          ? `! ${services.join(", ")} goes on to lead there, by an entry that is not this stack's`
          : `! istiod does not know that ${services.join(", ")} is spoken to in plain text now`,
      );
      return;
    }
    let proxies = 0;
    const before = new Map<string, Map<string, string>>();
    await ofAll(async (pod) => {
      const sent = sentTo(await syncOf(kubectl, pod), proxyOf(host, identity));
      proxies += sent.size;
      before.set(pod.name, sent);
      await pushToAll(kubectl, pod);
      return [];
    });
    const pending = await untilNone(limits.proxies, () =>
      ofAll(async (pod) => pendingProxies(before.get(pod.name)!, await syncOf(kubectl, pod))),
    );
    tell(
      pending.length === 0
        ? `ok: ${proxies} proxies have confirmed that ${end}`
        : `! not confirmed by ${pending.length} of ${proxies} proxies: ${pending.join(", ")}`,
    );
  } catch (error) {
    // Nothing depends on it but requests that are under way, for which the host itself waits as well.
    tell(`! istiod could not be asked who is sent there: ${(error as Error).message}`);
  }
}

/** Its sidecar may say another thing again, should it stay: nothing of the stack's is changed by this. */
async function sayLeaving(entry: string, kubectl: Kubectl): Promise<void> {
  const [namespace, name] = entry.split("/") as [string, string];
  const how = ["--subresource=status", "--type=merge", `--patch=${JSON.stringify({ status: LEAVING })}`];
  await kubectl(["patch", "workloadentries.networking.istio.io", name, `--namespace=${namespace}`, ...how]);
}
