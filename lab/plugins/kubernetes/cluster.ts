/** The configured cluster: its API and how resources are to be handled there. */
import type { ResourceRequest } from "../provider";
import { Api, NoMatch } from "./api";
import { Timing, timeoutOf, WaitOptions } from "./await";
import { GroupVersionKind, isNamespacedByName, Mutability } from "./kinds";
import type { KubeObject } from "./objects";

export interface Cluster extends Mutability {
  /** Undefined if the cluster could not be reached when the provider was configured. */
  api?: Api;
  /** Why it could not. */
  unreachable: string;
  /** Where objects go that name no namespace. */
  namespace: string;
  /** Take fields over from other managers wherever there is a conflict. */
  enablePatchForce: boolean;
  /** Create by server-side apply, so that an object that is already there is adopted. */
  upsertExistingObjects: boolean;
  /** Drop resources from the state if the cluster cannot be reached. */
  deleteUnreachable: boolean;
  timing: Timing;
}

/** The cluster's API. Throws if it cannot be reached. */
export function reachable(cluster: Cluster): Api {
  if (cluster.api) return cluster.api;
  throw new Error(`configured Kubernetes cluster is unreachable: ${cluster.unreachable}`);
}

/** Whether the kind is served; never throws. */
export async function isServed(cluster: Cluster, kind: GroupVersionKind): Promise<boolean> {
  if (!cluster.api) return false;
  return cluster.api.discover(kind).then(
    () => true,
    () => false,
  );
}

/** Whether objects of the kind live in namespaces. A kind that is not served yet is taken for namespaced. */
export async function isNamespaced(cluster: Cluster, kind: GroupVersionKind): Promise<boolean> {
  if (!cluster.api) return isNamespacedByName(kind);
  try {
    return (await cluster.api.discover(kind)).namespaced;
  } catch (error) {
    if (error instanceof NoMatch) return true;
    throw error;
  }
}

/** How long to wait in one operation, and where to say for what. */
export function waitOptions(
  cluster: Cluster,
  request: ResourceRequest & { timeout: number },
  inputs: KubeObject,
): WaitOptions {
  return {
    timing: cluster.timing,
    timeout: timeoutOf(inputs, request.timeout),
    signal: request.signal,
    status: (message) => request.log("info#status", message),
  };
}
