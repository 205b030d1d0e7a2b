import type { ClusterFacts, NodeFacts } from "./facts";
import { OWNER_LABEL } from "../mesh/kubernetesObject";

/** What the functions below read of objects as `kubectl get --output=json` lists them. */
export interface ClusterObject {
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string> };
  spec?: {
    podCIDRs?: string[];
    replicas?: number;
    ports?: { port: number; nodePort?: number; protocol?: string }[];
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

export function readNodes(nodes: ClusterObject[]): NodeFacts[] {
  return nodes.map(({ metadata: { name }, spec, status }) => ({
    name,
    ready: status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") ?? false,
    addresses: status?.addresses?.map(({ address }) => address) ?? [],
    podCidrs: spec?.podCIDRs ?? [],
  }));
}

/** The leases of the namespace kube-node-lease, which kubelets renew. @param readAt when they were read */
export function readLeases(leases: ClusterObject[], readAt: Date): ClusterFacts["leases"] {
  return leases.flatMap(({ metadata: { name }, spec }) =>
    spec?.renewTime === undefined ? [] : [{ node: name, age: (readAt.getTime() - Date.parse(spec.renewTime)) / 1000 }],
  );
}

/** The name and the owner mark of each namespace. */
export function readNamespaces(namespaces: ClusterObject[]): ClusterFacts["namespaces"] {
  return namespaces.map(({ metadata: { name, labels } }) => ({ name, owner: labels?.[OWNER_LABEL] }));
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

/** Whether a Service has an endpoint that is ready, by its EndpointSlices. */
export function hasReadyEndpoint(slices: ClusterObject[]): boolean {
  return slices.some(({ endpoints }) => endpoints?.some(({ conditions }) => conditions?.ready !== false));
}

/** How the Services of a cluster's DNS are marked or called: kubeadm, k3s and RKE2 (whose names vary), OpenShift. */
const DNS_LABELS = { "k8s-app": /^(kube-dns|coredns)$/, "dns.operator.openshift.io/owning-dns": /./ };
const DNS_NAMES = ["kube-dns", "coredns", "dns-default"];

/** The Services that pods may have as their DNS server: those that are known as such, else all that serve DNS. */
export function dnsServices(services: ClusterObject[]): ClusterObject[] {
  const serving = services.filter(({ spec }) =>
    spec?.ports?.some(({ port, protocol }) => port === 53 && protocol === "UDP"),
  );
  const known = serving.filter(
    ({ metadata: { name, labels = {} } }) =>
      DNS_NAMES.includes(name) || Object.entries(DNS_LABELS).some(([key, value]) => value.test(labels[key] ?? "")),
  );
  return known.length > 0 ? known : serving;
}

/** A webhook of Istio's that refuses what it can't judge, and the Service that must answer for it. */
export interface StrictWebhook {
  /** Its own name and that of its configuration. */
  name: string;
  namespace: string;
  service: string;
  /** The owner mark of the stack that made it. */
  owner?: string;
}

/** Istio's webhooks whose failurePolicy is Fail. */
export function strictWebhooks(objects: ClusterObject[]): StrictWebhook[] {
  return objects
    .filter(({ metadata }) => /istio/.test(metadata.name))
    .flatMap(({ metadata, webhooks = [] }) =>
      webhooks.flatMap(({ name, failurePolicy = "Fail", clientConfig: { service } }) =>
        failurePolicy === "Fail" && service !== undefined
          ? [
              {
                name: `${metadata.name} (${name})`,
                namespace: service.namespace,
                service: service.name,
                owner: metadata.labels?.[OWNER_LABEL],
              },
            ]
          : [],
      ),
    );
}
