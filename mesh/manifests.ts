import { loadAll } from "js-yaml";
import type { KubernetesObject } from "./kubernetesObject";

interface Webhook {
  clientConfig?: { caBundle?: string };
  failurePolicy?: string;
}

/** Without fields that are null: to Kubernetes they are absent, but a refresh would take whatever is there for ours. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== "object" || value === null) return value;
  const present = Object.entries(value).filter(([, field]) => field !== null);
  return Object.fromEntries(present.map(([key, field]) => [key, withoutNulls(field)]));
}

function documents(text: string): unknown[] {
  try {
    return loadAll(text);
  } catch (error) {
    throw new Error(`istioctl's manifest is not valid YAML: ${(error as Error).message}`);
  }
}

/** The objects of a multi-document manifest, in the order in which they stand. Throws on what is no Kubernetes object. */
export function parseManifests(text: string): KubernetesObject[] {
  return documents(text).flatMap((document) => {
    const object = withoutNulls(document) as KubernetesObject | null;
    if (object === null) return [];
    if (!object.apiVersion || !object.kind || !object.metadata?.name) {
      throw new Error("istioctl's manifest has a document without apiVersion, kind or metadata.name");
    }
    return [object];
  });
}

/** A name that no other object of a manifest has: `Kind/namespace/name`, or `Kind/name` for a cluster-wide one. */
export function objectName({ kind, metadata }: KubernetesObject): string {
  return [kind, metadata.namespace, metadata.name].filter((part) => part !== undefined).join("/");
}

/**
 * The object without the fields that another owner sets later, so that applying it again does not take them back:
 * istiod writes its own caBundle and failurePolicy into its webhook configurations, and the type of exposed Services
 * belongs to whoever exposes them.
 */
export function withoutLateFields(object: KubernetesObject, exposed: string[]): KubernetesObject {
  const copy = structuredClone(object);
  for (const webhook of (copy.webhooks as Webhook[] | undefined) ?? []) {
    delete webhook.clientConfig?.caBundle;
    delete webhook.failurePolicy;
  }
  if (copy.kind === "Service" && exposed.includes(copy.metadata.name)) delete (copy.spec as { type?: string }).type;
  return copy;
}

/** By which the Kubernetes provider takes fields of an object that somebody else has set. */
export const TAKEN_OVER = { "pulumi.com/patchForce": "true" };

/**
 * The object with what Pulumi's Kubernetes provider is to do about it: the type of a Service is taken back from whoever
 * exposed it before, who goes only afterwards; and a load balancer of which nothing here needs the address is not waited
 * for, as `istioctl install` does not: a cluster may have none to give.
 */
export function forProvider(object: KubernetesObject): KubernetesObject {
  if (object.kind !== "Service") return object;
  const balanced = (object.spec as { type?: string }).type === "LoadBalancer";
  const annotations = {
    ...object.metadata.annotations,
    ...TAKEN_OVER,
    ...(balanced ? { "pulumi.com/skipAwait": "true" } : {}),
  };
  return { ...object, metadata: { ...object.metadata, annotations } };
}

/** Kinds that run something, or wait for what runs. */
const WORKLOADS = ["Deployment", "DaemonSet", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget"];

/**
 * The objects in the order in which they must be applied, as three stages: custom resource definitions; accounts,
 * roles and configuration; and what runs. An istiod that starts before its roles are bound may never see the injection
 * webhook, and then no pod gets a sidecar. Services stand with the workloads, for whose pods the provider waits.
 */
export function inStages(objects: KubernetesObject[]): [KubernetesObject[], KubernetesObject[], KubernetesObject[]] {
  const stage = ({ kind }: KubernetesObject) =>
    kind === "CustomResourceDefinition" ? 0 : WORKLOADS.includes(kind) ? 2 : 1;
  const only = (wanted: number) => objects.filter((object) => stage(object) === wanted);
  return [only(0), only(1), only(2)];
}
