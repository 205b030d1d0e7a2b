/** Every object of the cluster. */
import { run } from "../../lab/run";
import type { Snapshot } from "./snapshot";

/** Kinds that are not compared, each with the reason. */
const IGNORED: Record<string, string> = {
  events: "Kubernetes tells what happened, and forgets it after an hour",
  "events.events.k8s.io": "the same under another name",
  componentstatuses: "no stored objects: answers of the moment",
};

/** Leader election as it was before there were Leases: Istio still has it. */
const LEADER = "control-plane.alpha.kubernetes.io/leader";

interface KubernetesObject {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    generateName?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    [field: string]: unknown;
  };
  spec?: Record<string, unknown>;
  status?: { conditions?: Record<string, unknown>[] };
}

/** Until Kubernetes has said of a new Istio that there are no metrics to scale it by. */
export const untilSettled = () =>
  run([
    ...["kubectl", "wait", "--namespace=istio-system", "horizontalpodautoscalers", "--all"],
    ...["--for=condition=ScalingActive=False", "--timeout=60s"],
  ]);

/** All objects of all kinds that can be listed, by kubectl on the PATH. */
async function allObjects(...options: string[]): Promise<KubernetesObject[]> {
  const kinds = (await run(["kubectl", "api-resources", "--verbs=list", "--output=name"])).trim().split("\n");
  const wanted = kinds.filter((kind) => !(kind in IGNORED)).join(",");
  const answer = await run(["kubectl", "get", wanted, "--all-namespaces", "--output=json", ...options]);
  return (JSON.parse(answer) as { items: KubernetesObject[] }).items;
}

/** Kubernetes makes another slice whenever a Service's ports change. */
const isMadeAnew = ({ kind, metadata }: KubernetesObject) =>
  kind === "EndpointSlice" &&
  metadata.labels?.["endpointslice.kubernetes.io/managed-by"] === "endpointslice-controller.k8s.io";

const nameOf = (object: KubernetesObject) => {
  const { apiVersion, kind, metadata } = object;
  const name = isMadeAnew(object) ? metadata.generateName : metadata.name;
  return `${apiVersion} ${kind} ${metadata.namespace ?? "-"}/${name}`;
};

/** Takes a snapshot of all objects. */
export async function snapshotCluster(): Promise<Snapshot> {
  return new Map((await allObjects()).map((object) => [nameOf(object), JSON.stringify(steady(object))]));
}

/** The objects of which somebody whose name begins so has changed something that still is as he left it. */
export async function managedBy(manager: string): Promise<string[]> {
  const isTheirs = ({ metadata }: KubernetesObject) =>
    (metadata.managedFields as { manager: string }[] | undefined)?.some((entry) => entry.manager.startsWith(manager));
  return (await allObjects("--show-managed-fields")).filter(isTheirs).map(nameOf);
}

/** The object without what Kubernetes itself changes over time. Its uid stays: an object made anew is another one. */
function steady(object: KubernetesObject): KubernetesObject {
  const copy = structuredClone(object);
  // They count and attribute changes, those that were taken back included.
  for (const field of ["resourceVersion", "generation", "managedFields"]) delete copy.metadata[field];
  if (isMadeAnew(object)) for (const field of ["name", "uid", "creationTimestamp"]) delete copy.metadata[field];
  const { annotations } = copy.metadata;
  // When a change of the Service or of its pods was noticed.
  delete annotations?.["endpoints.kubernetes.io/last-change-trigger-time"];
  // Leader election, and the node's sign of life.
  if (copy.kind === "Lease") delete copy.spec?.renewTime;
  const leader = annotations?.[LEADER];
  if (leader !== undefined) annotations![LEADER] = leader.replace(/"renewTime":"[^"]*"/, "");
  if (Object.keys(annotations ?? {}).length === 0) delete copy.metadata.annotations;
  for (const condition of copy.status?.conditions ?? []) delete condition.lastHeartbeatTime;
  return copy;
}
