/** Which roots the proxies of pods trust, and by which authority they are certified: each is asked itself. */
import { ofEach } from "../mesh/each";
import { at, isObject } from "../mesh/json";
import type { KubernetesObject } from "../mesh/kubernetesObject";
import type { ProxyTrust } from "../mesh/rotation";
import { parseJson } from "./command";
import { connectedProxies } from "./istiodDebug";
import { type Kubectl, list } from "./kubectl";

const SIDECAR = "istio-proxy";
/** How many are asked at the same time. */
const AT_ONCE = 8;

/** Whether a proxy runs in the pod: as a container, or as an init container that stays. */
function hasProxy(pod: KubernetesObject): boolean {
  const statuses = [at(pod, "status.containerStatuses"), at(pod, "status.initContainerStatuses")];
  return statuses
    .flatMap((list) => (Array.isArray(list) ? list.filter(isObject) : []))
    .some((status) => status.name === SIDECAR && at(status, "state.running") !== undefined);
}

interface Secret {
  name?: string;
  secret?: {
    tls_certificate?: { certificate_chain?: { inline_bytes?: string } };
    validation_context?: { trusted_ca?: { inline_bytes?: string }; crl?: { inline_bytes?: string } };
  };
}

const pem = (base64 = "") => Buffer.from(base64, "base64").toString();

/**
 * What Envoy has of the agent: its own certificate, the roots, and revocation lists, if it is given a file with such
 * (security/pkg/nodeagent: cache, WorkloadKeyCertResourceName and RootCertReqResourceName; sds, toEnvoySecret). It shows
 * what it has read of the file.
 */
export function trustIn(configs: Secret[]): Pick<ProxyTrust, "roots" | "certChain" | "lists"> {
  const of = (name: string) => configs.find((each) => each.name === name)?.secret;
  const { trusted_ca, crl } = of("ROOTCA")?.validation_context ?? {};
  return {
    roots: pem(trusted_ca?.inline_bytes),
    certChain: pem(of("default")?.tls_certificate?.certificate_chain?.inline_bytes),
    lists: crl && pem(crl.inline_bytes),
  };
}

async function ask(kubectl: Kubectl, { metadata: { name, namespace = "" } }: KubernetesObject): Promise<ProxyTrust> {
  const proxy = `${name}.${namespace}`;
  try {
    const words = ["exec", `--namespace=${namespace}`, name, `--container=${SIDECAR}`, "--"];
    const request = ["pilot-agent", "request", "GET", "config_dump?resource=dynamic_active_secrets"];
    const { configs = [] } = parseJson<{ configs?: Secret[] }>(await kubectl([...words, ...request]), proxy);
    return { proxy, ...trustIn(configs) };
  } catch (error) {
    return { proxy, problem: `can't be asked: ${(error as Error).message}` };
  }
}

/**
 * Asks every proxy that there is: those of pods, and of all others that istiod knows of says that they can't be asked.
 *
 * @param hosts those of the stack's hosts, which were asked by SSH
 */
export async function trustOfProxies(kubectl: Kubectl, hosts: ProxyTrust[], istiods: string[]): Promise<ProxyTrust[]> {
  const pods = (await list(kubectl, "pods", "--all-namespaces")).filter(
    (pod) => hasProxy(pod) && at(pod, "metadata.deletionTimestamp") === undefined,
  );
  const asked = await ofEach(pods, (pod) => ask(kubectl, pod), AT_ONCE);
  const connected = await connectedProxies(kubectl, istiods);
  const known = new Set([...hosts, ...asked].map(({ proxy }) => proxy));
  const others = [...new Set(connected.map(({ proxy = "" }) => proxy))].filter((proxy) => !known.has(proxy));
  return [
    ...hosts,
    ...asked,
    ...others.map((proxy) => ({
      proxy,
      problem: "is neither a pod here nor a host of this stack, and can't be asked",
    })),
  ].sort((a, b) => (a.proxy < b.proxy ? -1 : 1));
}

/** By what istiod tells an agent of roots, if the agent asks for it (PROXY_CONFIG_XDS_AGENT). */
const ROOTS = "type.googleapis.com/istio.mesh.v1alpha1.ProxyConfig";

/** The proxies that istiod knows, and whether they take further roots from it. @throws CommandError */
export async function proxiesTakingRoots(kubectl: Kubectl, istiods: string[]) {
  const all = await connectedProxies(kubectl, istiods);
  return all.map(({ proxy = "", resources = {} }) => ({ name: proxy, takesRoots: ROOTS in resources }));
}
