import { accessFlags, type Kubectl } from "../../tools/kubectl";
import { detectServiceCidr } from "../../tools/serviceCidr";
import type { Config } from "../../config";
import type { ClusterFacts } from "../../diagnosis/facts";
import {
  type ClusterObject,
  hasReadyEndpoint,
  readIstiods,
  readIstiodService,
  readNamespaces,
  readNodes,
  strictWebhooks,
} from "../../diagnosis/clusterObjects";
import { OWNER_LABEL } from "../../mesh/kubernetesObject";
import { capture } from "../../tools/command";
import type { ConfiguredStack } from "../stack";
import { requestServices } from "./requests";
import { readRights } from "./rights";

const part = (file: string) => `{{index .data "${file}" | base64decode}}{{"\\n--\\n"}}`;
/** Only the certificates: the key does not even come to this process. */
const CACERTS = `${["root-cert.pem", "ca-cert.pem", "cert-chain.pem"].map(part).join("")}{{with .metadata.labels}}{{index . "${OWNER_LABEL}"}}{{end}}`;

/** The certificates of the secret cacerts; undefined if it is not there. */
export async function readCaCerts(kubectl: Kubectl): Promise<ClusterFacts["cacerts"]> {
  const args = ["get", "secret", "cacerts", "--namespace=istio-system", "--ignore-not-found"];
  const text = await kubectl([...args, "--output", `go-template=${CACERTS}`]);
  if (text.trim() === "") return undefined;
  const [rootCert = "", caCert = "", certChain = "", owner = ""] = text.split("\n--\n");
  return { rootCert, caCert, certChain, owner: owner === "" || owner === "<no value>" ? undefined : owner };
}

/** The API server's clock less this machine's, seconds: by the time that it would give to a new object. */
async function readClock(kubectl: Kubectl): Promise<number | undefined> {
  const asked = Date.now();
  const dryRun = ["create", "configmap", "istio-vm-clock", "--namespace=default", "--dry-run=server"];
  const created = await kubectl([...dryRun, "--output=jsonpath={.metadata.creationTimestamp}"]).catch(() => "");
  if (created === "") return undefined; // not allowed, which IVM303 says
  const answered = Date.now();
  // It tells whole seconds: the question and the answer lie on either side of some moment of that second.
  const [least, most] = [Date.parse(created) - answered, Date.parse(created) + 1000 - asked];
  return least > 0 ? least / 1000 : most < 0 ? most / 1000 : 0;
}

/** What `istioctl experimental precheck` says of the cluster as a whole; it speaks JSON only if there is something. */
async function precheck({ cluster }: Config): Promise<ClusterFacts["precheck"]> {
  const answer = await capture("istioctl", [
    "experimental",
    "precheck",
    ...accessFlags(cluster),
    "--output=json",
  ]).catch(({ message }: Error) => JSON.stringify([{ code: "istioctl", level: "Warning", message }]));
  if (!answer.trimStart().startsWith("[")) return [];
  return (JSON.parse(answer) as ClusterFacts["precheck"]).filter(({ level }) => level !== "Info");
}

/**
 * Asks the cluster, with kubectl, everything at the same time.
 *
 * @throws CommandError when it does not answer, or does not let this user read what is needed
 */
export async function lookAtCluster(
  { config, outputs }: ConfiguredStack,
  kubectl: Kubectl,
  cacerts: ClusterFacts["cacerts"],
): Promise<ClusterFacts> {
  const list = async (...args: string[]) =>
    (JSON.parse(await kubectl(["get", ...args, "--output=json"])) as { items: ClusterObject[] }).items;
  const slicesOf = (namespace: string, service: string) =>
    list("endpointslices", `--namespace=${namespace}`, `--selector=kubernetes.io/service-name=${service}`);

  const objects = list("nodes,namespaces,mutatingwebhookconfigurations,validatingwebhookconfigurations");
  const deadWebhooks = objects.then(async (all) => {
    const slices = strictWebhooks(all).map(async ({ name, namespace, service }) =>
      hasReadyEndpoint(await slicesOf(namespace, service))
        ? []
        : [`nobody answers for the webhook ${name}: the Service ${namespace}/${service} has no ready endpoint`],
    );
    return (await Promise.all(slices)).flat();
  });
  const leases = list("leases", "--namespace=kube-node-lease").then((items) => [items, new Date()] as const);
  const istiods = list("deployments", "--all-namespaces", "--selector=app=istiod");
  const services = list("services", "--namespace=istio-system");
  const roots = list("configmaps", "--all-namespaces", "--field-selector=metadata.name=istio-ca-root-cert");
  const dns = slicesOf("kube-system", "kube-dns");
  const [version, clockOffset, serviceCidr, rights, prechecked, requests] = await Promise.all([
    kubectl(["version", "--output=json"]),
    readClock(kubectl),
    detectServiceCidr(config.cluster),
    readRights(config, kubectl),
    precheck(config),
    outputs === undefined ? undefined : requestServices(config, outputs, kubectl),
  ]);
  return {
    version: (JSON.parse(version) as { serverVersion: { gitVersion: string } }).serverVersion.gitVersion,
    clockOffset,
    nodes: readNodes(await objects, ...(await leases)),
    namespaces: readNamespaces(await objects),
    ...rights,
    precheck: prechecked,
    istiods: readIstiods(await istiods),
    deadWebhooks: await deadWebhooks,
    serviceCidr,
    istiodService: readIstiodService(await services),
    dnsReady: hasReadyEndpoint(await dns),
    cacerts,
    rootCerts: Object.fromEntries(
      (await roots).map(({ metadata, data }) => [metadata.namespace ?? "", data?.["root-cert.pem"] ?? ""]),
    ),
    requests,
  };
}
