/**
 * A host as istiod knows it: a WorkloadEntry (networking.istio.io/v1), and the services that it serves, each by a label
 * that the service's ServiceEntry selects.
 *
 * The entry is there before the host joins, for a sidecar that names it (ISTIO_META_WORKLOAD_ENTRY) is refused without it
 * (pilot/pkg/autoregistration: OnConnect); the labels come after. Both tell the sidecar of a host what it now serves
 * (pilot/pkg/serviceregistry/serviceentry: ProxyUpdate), which an endpoint within a ServiceEntry does not.
 */
import { HOST_LABEL } from "./kubernetesObject";
import { networkLabel } from "./networkGateway";
import type { ReadinessProbe } from "./readinessProbe";

export const WORKLOAD_ENTRY = { apiVersion: "networking.istio.io/v1", kind: "WorkloadEntry" };

/** A host that serves. */
export interface Workload {
  address: string;
  serviceAccount: string;
  labels: Record<string, string>;
  /** The network that it is in, if that is another than the cluster's. */
  network?: string;
  /** The share of requests that it gets, beside others. Default: as Istio has it, 1. */
  weight?: number;
  /** Where it is, as region/zone/subzone. Default: not known. */
  locality?: string;
  /** By which the sidecar tells istiod whether it can serve. Default: it can. */
  readinessProbe?: ReadinessProbe;
}

/** The label of a workload that serves the service of this name in its namespace. */
export const servesLabel = (service: string) => `serves.pulumi-istio-vm/${service}`;

/** The labels of a workload that serves these services. */
export const servesLabels = (services: string[]) =>
  Object.fromEntries(services.map((service) => [servesLabel(service), "true"]));

/** Without a probe that has succeeded, an entry with this is no endpoint (serviceentry: isHealthy). */
const HEALTH_CHECKED = { "proxy.istio.io/health-checks-enabled": "true" };

/**
 * @param own whether it is of the host's own namespace: a sidecar can speak for no other
 * @returns undefined rather than nothing in it, which the kubernetes provider takes for a change each time
 */
export const workloadEntryAnnotations = (
  { readinessProbe }: Workload,
  own: boolean,
): Record<string, string> | undefined => (own && readinessProbe !== undefined ? HEALTH_CHECKED : undefined);

/** Mutual TLS to it (label security.istio.io/tlsMode), and the identity of its service account is checked. */
export function workloadEntrySpec({ address, serviceAccount, labels, network, weight, locality }: Workload) {
  return {
    address,
    serviceAccount,
    ...(network === undefined ? {} : { network }),
    ...(weight === undefined ? {} : { weight }),
    ...(locality === undefined ? {} : { locality }),
    labels: { ...labels, "security.istio.io/tlsMode": "istio" },
  };
}

/**
 * The label by which a sidecar says where its host is (pkg/model, LocalityLabel), with which it prefers what is near; a
 * label can't have a slash.
 */
const LOCALITY_LABEL = "istio-locality";

/** The labels of a host's workload, as its sidecar and its WorkloadEntries have them: its own, and what this program needs. */
export function workloadLabels({
  name,
  labels,
  locality,
  network,
  gateway,
}: {
  name: string;
  labels: Record<string, string>;
  locality?: string;
  network?: string;
  gateway: boolean;
}): Record<string, string> {
  return {
    ...labels,
    [HOST_LABEL]: name,
    ...(locality === undefined ? {} : { [LOCALITY_LABEL]: locality.replaceAll("/", ".") }),
    ...(gateway ? networkLabel(network!) : {}),
  };
}
