import type { ClusterFacts, NodeFacts } from "./facts";
import { ISTIOD_PORT } from "../mesh/environment";
import { OWNER_LABEL } from "../mesh/kubernetesObject";

/** What the functions below read of objects as `kubectl get --output=json` lists them. */
export interface ClusterObject {
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string> };
  spec?: {
    podCIDRs?: string[];
    replicas?: number;
    type?: string;
    ports?: { port: number; nodePort?: number }[];
    renewTime?: string;
  };
  status?: {
    addresses?: { address: string }[];
    conditions?: { type: string; status: string }[];
    availableReplicas?: number;
  };
  endpoints?: { conditions?: { ready?: boolean } }[] | null;
  webhooks?: Webhook[];
  data?: Record<string, string>;
}

interface Webhook {
  name: string;
  failurePolicy?: string;
  clientConfig: { service?: { namespace: string; name: string } };
}

/**
 * The nodes, with the leases of the namespace kube-node-lease that their kubelets renew.
 *
 * @param readAt when the leases were read
 */
export function readNodes(objects: ClusterObject[], leases: ClusterObject[], readAt: Date): NodeFacts[] {
  return objects
    .filter(({ kind }) => kind === "Node")
    .map(({ metadata: { name }, spec, status }) => {
      const renewed = leases.find((lease) => lease.metadata.name === name)?.spec?.renewTime;
      return {
        name,
        ready: status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") ?? false,
        addresses: status?.addresses?.map(({ address }) => address) ?? [],
        podCidrs: spec?.podCIDRs ?? [],
        leaseAge: renewed === undefined ? undefined : (readAt.getTime() - Date.parse(renewed)) / 1000,
      };
    });
}

/** The name and the owner mark of each namespace. */
export function readNamespaces(objects: ClusterObject[]): ClusterFacts["namespaces"] {
  return objects
    .filter(({ kind }) => kind === "Namespace")
    .map(({ metadata: { name, labels } }) => ({ name, owner: labels?.[OWNER_LABEL] }));
}

/** Deployments of istiod. */
export function readIstiods(deployments: ClusterObject[]): ClusterFacts["istiods"] {
  return deployments.map(({ metadata: { namespace = "", name, labels }, spec, status }) => ({
    namespace,
    name,
    owner: labels?.[OWNER_LABEL],
    available: status?.availableReplicas ?? 0,
    wanted: spec?.replicas ?? 1,
  }));
}

/** The Service istiod among those of istio-system. */
export function readIstiodService(services: ClusterObject[]): ClusterFacts["istiodService"] {
  const spec = services.find(({ metadata }) => metadata.name === "istiod")?.spec;
  if (spec === undefined) return undefined;
  return { type: spec.type ?? "ClusterIP", nodePort: spec.ports?.find(({ port }) => port === ISTIOD_PORT)?.nodePort };
}

/** Whether a Service has an endpoint that is ready, by its EndpointSlices. */
export function hasReadyEndpoint(slices: ClusterObject[]): boolean {
  return slices.some(({ endpoints }) => endpoints?.some(({ conditions }) => conditions?.ready !== false));
}

/** A webhook of Istio's that refuses what it can't judge, and the Service that must answer for it. */
export interface StrictWebhook {
  /** Its own name and that of its configuration. */
  name: string;
  namespace: string;
  service: string;
}

/** Istio's webhooks whose failurePolicy is Fail. */
export function strictWebhooks(objects: ClusterObject[]): StrictWebhook[] {
  return objects
    .filter(({ metadata }) => /istio/.test(metadata.name))
    .flatMap(({ metadata, webhooks = [] }) =>
      webhooks.flatMap(({ name, failurePolicy = "Fail", clientConfig: { service } }) =>
        failurePolicy === "Fail" && service !== undefined
          ? [{ name: `${metadata.name} (${name})`, namespace: service.namespace, service: service.name }]
          : [],
      ),
    );
}
