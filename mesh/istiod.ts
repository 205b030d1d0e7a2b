import type { LabelSelector } from "./labelSelector";

/** What hosts must know of a control plane, whoever installed it: one revision of Istio in one cluster. */
export interface ControlPlane {
  /** As istiod itself calls it: `default` where it was installed without one. */
  revision: string;
  /** Of Istio; as its image says. */
  version: string;
  /** istiod's Service. */
  service: string;
  namespace: string;
  trustDomain: string;
  /** The cluster's name as istiod knows it. */
  clusterName: string;
  /** The network of the cluster's pods, if it has a name. */
  network?: string;
  /** Where policies count for the whole mesh (meshConfig.rootNamespace). */
  rootNamespace: string;
  /** What it takes for its own in a service account token. */
  audience: string;
  /** Whether it has proxies serve both families of addresses (ISTIO_DUAL_STACK). */
  dualStack: boolean;
  /** The namespaces that it looks at. Default: all. */
  discoverySelectors?: LabelSelector[];
}

/** What of it a person wants to see, whatever else is known. */
export function factsOf(controlPlane: ControlPlane & { tags?: string[] }) {
  const { revision, tags, version, service, namespace, rootNamespace } = controlPlane;
  const { trustDomain, clusterName, network, dualStack, audience } = controlPlane;
  return {
    ...{ revision, tags, version, service, namespace, rootNamespace },
    ...{ trustDomain, clusterName, network, dualStack, audience },
  };
}

/** Where it is installed without a revision, as here. */
export const USUAL_ISTIOD = { service: "istiod", namespace: "istio-system" };
/** What Istio takes where nobody says otherwise. */
export const DEFAULT_TRUST_DOMAIN = "cluster.local";
export const DEFAULT_CLUSTER_NAME = "Kubernetes";
export const DEFAULT_CLUSTER_DOMAIN = "cluster.local";
export const DEFAULT_REVISION = "default";
/** In a service account token, unless istiod was told another (TOKEN_AUDIENCES). */
export const TOKEN_AUDIENCE = "istio-ca";
/** istiod's port for proxies: XDS and the CA, over TLS. */
export const ISTIOD_PORT = 15012;

/** The name in istiod's certificate by which sidecars insist on it (pilot/pkg/bootstrap/server.go: getDNSNames). */
export const istiodName = ({ service, namespace }: Pick<ControlPlane, "service" | "namespace">) =>
  `${service}.${namespace}.svc`;

/** That of an Istio without revision in its usual namespace. */
export const ISTIOD_NAME = istiodName(USUAL_ISTIOD);
