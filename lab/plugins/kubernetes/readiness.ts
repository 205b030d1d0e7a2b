/** When the real provider takes an object for ready, kind by kind; other kinds are ready as soon as they are written. */
import { isObj, Obj } from "../values";
import { Api, isNotFound } from "./api";
import { isKind } from "./kinds";
import { annotationOf, field, KubeObject } from "./objects";

export interface Readiness {
  ready: boolean;
  /** What is waited for, for the status line. */
  status: string;
  /** What to report if it never comes. */
  reasons: string[];
}

/** Looks at an object as it is now, and at others that belong to it. */
type Look = (live: KubeObject) => Readiness | Promise<Readiness>;

const READY: Readiness = { ready: true, status: "", reasons: [] };
const notReady = (status: string, ...reasons: string[]): Readiness => ({ ready: false, status, reasons });

/**
 * The condition for one object; undefined if its kind has none or pulumi.com/skipAwait is set. `settle`: the milliseconds for which a Service's
 * endpoints must not change; 0 to judge the present moment only.
 */
export function readinessOf(api: Api, object: KubeObject, settle: number): Look | undefined {
  if (annotationOf(object, "pulumi.com/skipAwait") === "true") return undefined;
  if (isKind(object, "apps/v1", "Deployment")) return (live) => deployment(api, live);
  if (isKind(object, "v1", "Pod")) return pod;
  if (isKind(object, "v1", "Service")) return service(api, settle);
  if (isKind(object, "v1", "Secret")) return tokenSecret;
  return undefined;
}

const REVISION = "deployment.kubernetes.io/revision";
const revisionOf = ({ metadata }: KubeObject): string | undefined => metadata.annotations?.[REVISION];

/** Available, and the ReplicaSet of the current revision has all its pods ready. */
async function deployment(api: Api, live: KubeObject): Promise<Readiness> {
  const { namespace, generation, uid } = live.metadata;
  if (field(live, "status", "observedGeneration") !== generation) {
    return notReady("Waiting for the deployment controller", "The deployment controller has not seen the Deployment");
  }
  const ownedBy = (owner: string | undefined) => (object: KubeObject) =>
    (object.metadata.ownerReferences ?? []).some((reference) => reference.uid === owner);
  const replicaSets = await api.list({ apiVersion: "apps/v1", kind: "ReplicaSet" }, namespace);
  const current = replicaSets.filter(ownedBy(uid)).find((set) => revisionOf(set) === revisionOf(live));
  const wanted = Number(field(current, "spec", "replicas") ?? 1);
  const ready = Number(field(current, "status", "readyReplicas") ?? 0);
  const available = condition(live, "Available");
  const progressing = condition(live, "Progressing");
  // The first revision is no rollout, so nothing progresses.
  const rolledOut = revisionOf(live) === "1" || isRolledOut(progressing);
  const isAvailable = available?.["status"] === "True";
  if (isAvailable && rolledOut && current && ready >= wanted) return READY;

  const reasons = [available, progressing].flatMap((found) =>
    found && found["status"] !== "True" ? [`[${text(found["reason"])}] ${text(found["message"])}`] : [],
  );
  reasons.push(
    !isAvailable
      ? "Minimum number of live Pods was not attained"
      : !rolledOut
        ? "Minimum number of Pods to consider the application live was not attained"
        : "Attempted to roll forward to new ReplicaSet, but minimum number of Pods did not become live",
  );
  const pods = current ? await api.list({ apiVersion: "v1", kind: "Pod" }, namespace) : [];
  const errors = pods.filter(ownedBy(current?.metadata.uid)).flatMap((candidate) => podErrors(candidate));
  const progress = `Waiting for app ReplicaSet to be available (${ready}/${wanted} Pods available)`;
  return notReady([progress, ...errors].join("; "), ...reasons, ...errors);
}

const isRolledOut = (progressing: Obj | undefined): boolean =>
  progressing?.["status"] === "True" && progressing["reason"] === "NewReplicaSetAvailable";

function pod(live: KubeObject): Readiness {
  if (condition(live, "Ready")?.["status"] === "True" || field(live, "status", "phase") === "Succeeded") return READY;
  const errors = podErrors(live);
  const name = live.metadata.name;
  const scheduled = condition(live, "PodScheduled");
  if (scheduled?.["status"] !== "True") {
    return notReady(`Waiting for Pod "${name}" to be scheduled`, text(scheduled?.["message"]), ...errors);
  }
  return notReady([`Waiting for Pod "${name}" to be ready`, ...errors].join("; "), ...errors);
}

/** Why a pod is not ready: of its conditions, and of its containers (ImagePullBackOff, CrashLoopBackOff). */
function podErrors(live: KubeObject): string[] {
  const ready = condition(live, "Ready");
  if (!ready || ready["status"] === "True" || field(live, "status", "phase") === "Succeeded") return [];
  const statuses = [
    ...list(field(live, "status", "initContainerStatuses")),
    ...list(field(live, "status", "containerStatuses")),
  ];
  const messages = [text(ready["message"]), ...statuses.flatMap((status) => containerErrors(status))];
  return [`[Pod ${live.metadata.name}]: ${messages.filter(Boolean).join("\n")}`];
}

function containerErrors(status: Obj): string[] {
  if (status["ready"] === true) return [];
  const waiting = field(status, "state", "waiting");
  const ended = field(status, "lastState", "terminated");
  const errors: string[] = [];
  const reason = text(field(waiting, "reason"));
  // Normal phases of a start.
  if (reason && reason !== "ContainerCreating" && reason !== "PodInitializing") {
    errors.push(`[${reason}] ${text(field(waiting, "message"))}`);
  }
  if (isObj(ended)) {
    errors.push(
      `container "${text(status["name"])}" terminated at ${text(ended["finishedAt"])} ` +
        `(${text(ended["reason"])}: exit code ${String(ended["exitCode"])})`,
    );
  }
  return errors;
}

/** A load balancer needs its address; where there are pods to select, none of them may be unready for a while. */
function service(api: Api, settle: number): Look {
  let seen: string | undefined;
  let since = Date.now();
  return async (live) => {
    const type = field(live, "spec", "type") ?? "ClusterIP";
    const hasAddress = type !== "LoadBalancer" || list(field(live, "status", "loadBalancer", "ingress")).length > 0;
    const selectsPods =
      type !== "ExternalName" &&
      field(live, "spec", "clusterIP") !== "None" &&
      Object.keys((field(live, "spec", "selector") as Obj | undefined) ?? {}).length > 0;
    if (!selectsPods && hasAddress) return READY;

    const endpoints = selectsPods ? await endpointsOf(api, live) : undefined;
    if (endpoints?.metadata.resourceVersion !== seen) {
      seen = endpoints?.metadata.resourceVersion;
      since = Date.now();
    }
    const subsets = list(endpoints?.["subsets"]);
    const isPending = subsets.some((subset) => list(subset["notReadyAddresses"]).length > 0);
    const isTargeting = subsets.some((subset) => list(subset["addresses"]).length > 0);
    const isSettled = settle === 0 || (endpoints !== undefined && Date.now() - since >= settle);
    if (hasAddress && isSettled && !isPending) return READY;

    const reasons: string[] = [];
    if (selectsPods && !isTargeting) {
      reasons.push(
        "Service does not target any Pods. Selected Pods may not be ready, or " +
          "field '.spec.selector' may not match labels on any Pods",
      );
    }
    if (!hasAddress) reasons.push("Service was not allocated an IP address; does your cloud provider support this?");
    const status =
      isSettled && !isPending ? "Attempting to allocate IP address to Service" : "Finding Pods to direct traffic to";
    return notReady(status, ...reasons);
  };
}

async function endpointsOf(api: Api, live: KubeObject): Promise<KubeObject | undefined> {
  try {
    return await api.get({ apiVersion: "v1", kind: "Endpoints", metadata: live.metadata });
  } catch (error) {
    if (isNotFound(error)) return undefined; // The endpoints controller has not seen the Service yet.
    throw error;
  }
}

function tokenSecret(live: KubeObject): Readiness {
  if (live["type"] !== "kubernetes.io/service-account-token" || isObj(live["data"])) return READY;
  const message = "Waiting for the token controller to fill in the token";
  return notReady(message, message);
}

const condition = (live: KubeObject, type: string): Obj | undefined =>
  list(field(live, "status", "conditions")).find((candidate) => candidate["type"] === type);

const list = (value: unknown): Obj[] => (Array.isArray(value) ? (value as Obj[]) : []);
const text = (value: unknown): string => (typeof value === "string" ? value : "");
