import { isUnavailable, type Unavailable } from "../../diagnosis/facts";
import type { Sickness } from "../../diagnosis/status";
import { type Config, probedFor } from "../../config";
import { probedEntry } from "../../mesh/workloadEntry";
import { type Kubectl, list } from "../../tools/kubectl";
import { unavailable } from "./answers";

interface WorkloadEntry {
  metadata: { name: string };
  status?: { conditions?: { type: string; status: string; message?: string }[] };
}

/** Of the hosts that are probed and can't serve: why, as their sidecars have told istiod. */
export async function sickHosts({ hosts, services }: Config, kubectl: Kubectl): Promise<Sickness | Unavailable> {
  const probed = hosts.filter((host) => !host.gone && probedFor(host, services).length > 0);
  const namespaces = [...new Set(probed.map(({ namespace }) => namespace))];
  const found = await Promise.all(
    namespaces.map((namespace) =>
      list<WorkloadEntry>(kubectl, "workloadentries.networking.istio.io", `--namespace=${namespace}`),
    ),
  ).catch(unavailable);
  if (isUnavailable(found)) return found;
  const entries = found.flat();
  return new Map(
    probed.flatMap(({ name }) => {
      const entry = entries.find(({ metadata }) => metadata.name === probedEntry(name));
      const health = entry?.status?.conditions?.find(({ type }) => type === "Healthy");
      if (health?.status === "True") return [];
      return [[name, health === undefined ? "it has not been probed yet" : (health.message ?? "")] as const];
    }),
  );
}
