/** The life of one Kubernetes object, or of one patch on it, as the real provider does it with server-side apply. */
import type { ResourceType } from "../provider";
import { checked } from "./check";
import type { Cluster } from "./cluster";
import { create } from "./create";
import { diff } from "./diff";
import { read } from "./read";
import { remove } from "./remove";
import { update } from "./update";

/** The resource type of every Kubernetes kind. */
export function kubernetesResource(cluster: Cluster): ResourceType {
  return {
    check: (request) => checked(cluster, request),
    diff: (request) => diff(cluster, request),
    create: (request) => create(cluster, request),
    read: (request) => read(cluster, request),
    update: (request) => update(cluster, request),
    delete: (request) => remove(cluster, request),
  };
}
