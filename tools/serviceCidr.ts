import { fromRefusal, fromServiceCidrList } from "../mesh/serviceCidr";
import type { CommandError } from "./command";
import { type ClusterAccess, kubectlFor } from "./kubectl";

/** A Service that no API server accepts: 0.0.0.1 lies in nobody's service range. It is only ever sent as a dry run. */
const IMPOSSIBLE_SERVICE = [
  "create",
  "service",
  "clusterip",
  "istio-vm-probe",
  "--tcp=1",
  "--clusterip=0.0.0.1",
  "--dry-run=server",
];

/**
 * The service range of the cluster: its ServiceCIDR objects (Kubernetes 1.33 and later), else what the API server says
 * when it refuses an impossible cluster IP, else `*`: all outbound traffic goes through the sidecar.
 *
 * @throws when kubectl is missing or the cluster does not answer
 */
export async function detectServiceCidr(access: ClusterAccess, kubectl = kubectlFor(access)): Promise<string> {
  try {
    const listed = fromServiceCidrList(await kubectl(["get", "servicecidrs.networking.k8s.io", "--output=json"]));
    if (listed !== undefined) return listed;
  } catch (error) {
    const { missing, message, output = message } = error as CommandError;
    if (missing) throw new Error("serviceCidr: auto needs kubectl on the PATH; or set serviceCidr to the range");
    if (!/doesn't have a resource type|forbidden/i.test(output)) {
      throw new Error(`serviceCidr: auto could not ask the cluster: ${output}`);
    }
  }
  const refusal = await kubectl(IMPOSSIBLE_SERVICE).then(
    () => "",
    ({ output }: CommandError) => output,
  );
  return fromRefusal(refusal) ?? "*";
}
