import { accessFlags, type Kubectl, list } from "../../tools/kubectl";
import { readExistingMesh } from "../../tools/existing";
import { detectServiceCidr } from "../../tools/serviceCidr";
import { type Config, isInstalled } from "../../config";
import type { Cluster, ClusterFacts, Unavailable } from "../../diagnosis/facts";
import type { AuthorityFacts } from "../../diagnosis/forecast";
import {
  type ClusterObject,
  hasReadyEndpoint,
  readIstiods,
  readLeases,
  readNamespaces,
  readNodes,
  strictWebhooks,
} from "../../diagnosis/clusterObjects";
import { exposedServices, findExposed } from "../../diagnosis/exposed";
import { CodedError } from "../../mesh/codes";
import { USUAL_ISTIOD } from "../../mesh/istiod";
import { readCaCerts } from "../../tools/caCerts";
import { proxiesTakingRoots } from "../../tools/proxies";
import { capture, parseJson } from "../../tools/command";
import type { ConfiguredStack } from "../stack";
import { answers, unavailable } from "./answers";
import { lookAtDns } from "./dns";
import { slicesOf } from "./objects";
import { requestServices } from "./requests";
import { askRights } from "./rights";

/** The API server's clock less this machine's, seconds: by the time that it would give to a new object. */
async function readClock(kubectl: Kubectl): Promise<number> {
  const asked = Date.now();
  const dryRun = ["create", "configmap", "istio-vm-clock", "--namespace=default", "--dry-run=server"];
  const created = Date.parse(await kubectl([...dryRun, "--output=jsonpath={.metadata.creationTimestamp}"]));
  const answered = Date.now();
  if (Number.isNaN(created)) throw new Error("the API server does not tell its time");
  // It tells whole seconds: the question and the answer lie on either side of some moment of that second.
  const [least, most] = [created - answered, created + 1000 - asked];
  return least > 0 ? least / 1000 : most < 0 ? most / 1000 : 0;
}

/** What `istioctl experimental precheck` says of the cluster as a whole; it speaks JSON only if there is something. */
async function precheck({ cluster }: Config): Promise<ClusterFacts["precheck"]> {
  const answer = await capture("istioctl", [
    "experimental",
    "precheck",
    ...accessFlags(cluster),
    "--output=json",
  ]).catch((error: Error) => {
    const { forbidden, problem: message } = unavailable(error);
    if (forbidden) throw error;
    return JSON.stringify([{ code: "istioctl", level: "Warning", message }]);
  });
  if (!answer.trimStart().startsWith("[")) return [];
  return parseJson<ClusterFacts["precheck"]>(answer, "istioctl precheck").filter(({ level }) => level !== "Info");
}

/** The cluster's version. @throws if it does not answer, or this user may not even ask that */
export async function readVersion(kubectl: Kubectl): Promise<string> {
  const answer = await kubectl(["version", "--output=json"]);
  const { serverVersion } = parseJson<{ serverVersion?: { gitVersion: string } }>(answer, "kubectl version");
  if (serverVersion === undefined) throw new Error("kubectl version: the cluster does not tell its version");
  return serverVersion.gitVersion;
}

/** The mesh that is there already, as far as hosts must know it. @throws if the cluster does not answer */
export async function readExisting(config: Config, kubectl: Kubectl): Promise<ClusterFacts["existing"]> {
  if (isInstalled(config)) return undefined;
  try {
    const controlPlanes = [...(await readExistingMesh(config, kubectl)).controlPlanes.values()];
    const each = (fact: "namespace" | "rootNamespace") => [...new Set(controlPlanes.map((one) => one[fact]))];
    return {
      rootCerts: controlPlanes[0]!.rootCerts,
      versions: Object.fromEntries(controlPlanes.map(({ revision, version }) => [revision, version])),
      namespaces: each("namespace"),
      rootNamespaces: each("rootNamespace"),
    };
  } catch (error) {
    if (error instanceof CodedError) return { refusal: error.message.replace(/^IVM317 /, "") };
    throw error;
  }
}

/**
 * The CA's certificates, without its key: those of the secret cacerts, or what an existing mesh tells and the
 * configuration provides.
 */
export async function readAuthority(config: Config, kubectl: Kubectl): Promise<AuthorityFacts | Unavailable> {
  const existing = await readExisting(config, kubectl);
  if (existing === undefined) {
    return (await readCaCerts(kubectl)) ?? { problem: "there is no secret istio-system/cacerts" };
  }
  if ("refusal" in existing) return unavailable(new Error(existing.refusal));
  const { caCert, certChain } = config.ca !== undefined && "provided" in config.ca ? config.ca.provided : {};
  return { rootCert: existing.rootCerts, ...(caCert === undefined ? {} : { caCert, certChain }) };
}

/** The Services by which hosts reach istiod, of those that are there. */
async function readExposed(
  { config, outputs }: ConfiguredStack,
  kubectl: Kubectl,
): Promise<ClusterFacts["istiodServices"]> {
  const exposed = outputs === undefined ? [] : exposedServices(config, outputs);
  const namespaces = [...new Set(exposed.map(({ namespace }) => namespace))];
  const services = namespaces.map((namespace) => list<ClusterObject>(kubectl, "services", `--namespace=${namespace}`));
  return findExposed(exposed, (await Promise.all(services)).flat());
}

/** Istio's webhooks that refuse what they can't judge, and have nobody who answers for them. */
async function findDeadWebhooks(kubectl: Kubectl): Promise<ClusterFacts["deadWebhooks"]> {
  const kinds = ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"];
  const objects = (await Promise.all(kinds.map((kind) => list(kubectl, kind)))).flat();
  const found = strictWebhooks(objects).map(async ({ name, namespace, service, owner }) =>
    hasReadyEndpoint(await slicesOf(kubectl, namespace, service))
      ? []
      : [{ name, service: `${namespace}/${service}`, owner }],
  );
  return (await Promise.all(found)).flat();
}

/**
 * Asks the cluster, with kubectl, everything at the same time.
 *
 * @param known what has been asked already
 */
export async function lookAtCluster(
  stack: ConfiguredStack,
  kubectl: Kubectl,
  known: Pick<Cluster, "version" | "cacerts" | "existing">,
): Promise<Cluster> {
  const { config, outputs } = stack;
  const facts = await answers<Omit<ClusterFacts, keyof typeof known>>({
    clockOffset: () => readClock(kubectl),
    nodes: async () => readNodes(await list(kubectl, "nodes")),
    leases: async () => readLeases(await list(kubectl, "leases", "--namespace=kube-node-lease"), new Date()),
    namespaces: async () => readNamespaces(await list(kubectl, "namespaces")),
    ...askRights(stack, known.existing, kubectl),
    // It is of an istioctl that installs.
    precheck: async () => (isInstalled(config) ? precheck(config) : []),
    istiods: async () => readIstiods(await list(kubectl, "deployments", "--all-namespaces", "--selector=app=istiod")),
    deadWebhooks: () => findDeadWebhooks(kubectl),
    serviceCidr: () => detectServiceCidr(config.cluster, kubectl),
    istiodServices: () => readExposed(stack, kubectl),
    dns: () => lookAtDns(stack, kubectl),
    rootCerts: async () =>
      (
        await list<ClusterObject>(
          kubectl,
          "configmaps",
          "--all-namespaces",
          "--field-selector=metadata.name=istio-ca-root-cert",
        )
      ).map(({ metadata: { namespace = "" }, data }) => ({ namespace, pem: data?.["root-cert.pem"] ?? "" })),
    proxies: async () =>
      isInstalled(config) && outputs ? proxiesTakingRoots(kubectl, [USUAL_ISTIOD.namespace]) : undefined,
    requests: async () => {
      const requests = outputs && (await requestServices(config, outputs, kubectl));
      const untried = Object.values(requests ?? {}).find((request) => request.untried);
      if (untried) throw new Error(untried.answer);
      return requests;
    },
  });
  return { ...facts, ...known };
}
