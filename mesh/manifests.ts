import { parseAllDocuments } from "yaml";
import type { KubernetesObject } from "./kubernetesObject";

interface Webhook {
  clientConfig?: { caBundle?: string };
  failurePolicy?: string;
}

/** The objects of a multi-document manifest, in the order in which they stand. Throws on what is no Kubernetes object. */
export function parseManifests(text: string): KubernetesObject[] {
  return parseAllDocuments(text).flatMap((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw new Error(`istioctl's manifest is not valid YAML: ${error.message}`);
    const object = document.toJS() as KubernetesObject | null;
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

/** The Services whose type ControlPlaneExposure sets. */
const EXPOSED = ["istiod", "istio-ingressgateway"];

/**
 * The object without the fields that another owner sets later, so that applying it again does not take them back:
 * istiod writes its own caBundle and failurePolicy into its webhook configurations, and the type of istiod's and the
 * ingress gateway's Services belongs to ControlPlaneExposure.
 */
export function withoutLateFields(object: KubernetesObject): KubernetesObject {
  const copy = structuredClone(object);
  for (const webhook of (copy.webhooks as Webhook[] | undefined) ?? []) {
    delete webhook.clientConfig?.caBundle;
    delete webhook.failurePolicy;
  }
  if (copy.kind === "Service" && EXPOSED.includes(copy.metadata.name)) delete (copy.spec as { type?: string }).type;
  return copy;
}

/** Custom resource definitions, and the rest, which may need them. */
export function splitDefinitions(objects: KubernetesObject[]): [KubernetesObject[], KubernetesObject[]] {
  const isDefinition = ({ kind }: KubernetesObject) => kind === "CustomResourceDefinition";
  return [objects.filter(isDefinition), objects.filter((object) => !isDefinition(object))];
}
