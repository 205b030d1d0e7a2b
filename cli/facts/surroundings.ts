import { readNodes } from "../../diagnosis/clusterObjects";
import { type Cluster, isUnavailable, rootNamespacesOf, type Unavailable } from "../../diagnosis/facts";
import type { SurroundingFacts, Surroundings } from "../../diagnosis/impact";
import type { PeerAuthentication } from "../../diagnosis/peerAuthentication";
import { type Kubectl, list } from "../../tools/kubectl";
import { detectServiceCidr } from "../../tools/serviceCidr";
import type { ConfiguredStack } from "../stack";
import { answers } from "./answers";
import { readExisting } from "./cluster";

/** Fields of each object, a line each: whole pods and services of a large cluster are hundreds of megabytes. */
async function fields(kubectl: Kubectl, what: string[], paths: string[]): Promise<string[][]> {
  const format = `{range .items[*]}${paths.join('{"\\t"}')}{"\\n"}{end}`;
  const answer = await kubectl(["get", ...what, "--all-namespaces", `--output=jsonpath=${format}`]);
  const lines = answer.split("\n").map((line) => line.split("\t"));
  return lines.filter((found) => found.length === paths.length);
}

const NAME = "{.metadata.namespace}/{.metadata.name}";
const each = (path: string, item: string) => `{range ${path}}${item},{end}`;
const addressesIn = (text = "") => text.split(",").filter((address) => address !== "" && address !== "None");

async function readPods(kubectl: Kubectl): Promise<SurroundingFacts["pods"]> {
  // The injector's annotation, which a pod has that got a sidecar.
  const sidecar = "{.metadata.annotations.sidecar\\.istio\\.io/status}";
  const paths = [NAME, "{.spec.hostNetwork}", each(".status.podIPs[*]", "{.ip}"), sidecar];
  const running = await fields(kubectl, ["pods", "--field-selector=status.phase=Running"], paths);
  return running.map(([name = "", hostNetwork, addresses, status]) => ({
    name,
    addresses: addressesIn(addresses),
    hostNetwork: hostNetwork === "true",
    sidecar: status !== "",
  }));
}

async function readServices(kubectl: Kubectl): Promise<SurroundingFacts["services"]> {
  const found = await fields(kubectl, ["services"], [NAME, each(".spec.clusterIPs[*]", "{@}")]);
  return found.map(([name = "", addresses]) => ({ name, addresses: addressesIn(addresses) }));
}

/** All there are; none where Istio is not there yet. */
const readPeerAuthentications = (kubectl: Kubectl) =>
  list<PeerAuthentication>(kubectl, "peerauthentications.security.istio.io", "--all-namespaces").catch(
    (error: Error) => {
      if (/doesn't have a resource type/.test(error.message)) return [];
      throw error;
    },
  );

/** What the cluster has told already, or why it did not. */
function told<Fact>(fact: Fact | Unavailable): Fact {
  if (isUnavailable(fact)) throw new Error(fact.problem);
  return fact;
}

async function readRootNamespaces(
  { config, outputs }: ConfiguredStack,
  kubectl: Kubectl,
  known?: Known,
): Promise<string[]> {
  if (outputs !== undefined) return rootNamespacesOf(outputs);
  const existing = known ? told(known.existing) : await readExisting(config, kubectl);
  if (existing === undefined) return rootNamespacesOf(outputs);
  if ("refusal" in existing) throw new Error(existing.refusal);
  return existing.rootNamespaces;
}

/** What is known of the cluster already. */
type Known = Pick<Cluster, "nodes" | "serviceCidr" | "existing">;

/** Asks the cluster who is who, and what is taken from whom, everything at the same time. */
export const readSurroundings = (stack: ConfiguredStack, kubectl: Kubectl, known?: Known): Promise<Surroundings> =>
  answers<SurroundingFacts>({
    pods: () => readPods(kubectl),
    nodes: async () => (known ? told(known.nodes) : readNodes(await list(kubectl, "nodes"))),
    services: () => readServices(kubectl),
    peerAuthentications: () => readPeerAuthentications(kubectl),
    rootNamespaces: () => readRootNamespaces(stack, kubectl, known),
    serviceCidr: async () => (known ? told(known.serviceCidr) : detectServiceCidr(stack.config.cluster, kubectl)),
  });
