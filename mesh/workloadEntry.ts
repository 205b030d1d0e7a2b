/**
 * A host as an endpoint: a WorkloadEntry (networking.istio.io/v1), with a label for each service of its namespace that it
 * serves, which the service's ServiceEntry selects. It is made when the host has joined, and goes before it leaves.
 *
 * That of a host with a readinessProbe is there as long as the host is in the mesh, for its sidecar, which says by it whether
 * the host can serve, is refused without it (pilot/pkg/autoregistration: OnConnect). It is no endpoint until that says so,
 * and no more when the host is about to leave (tools/withdrawal.ts).
 */
import { HOST_LABEL } from "./kubernetesObject";
import { networkLabel } from "./networkGateway";

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
}

/** The label of a workload that serves the service of this name in its namespace. */
export const servesLabel = (service: string) => `serves.pulumi-istio-vm/${service}`;

/** The labels of a workload that serves these services. */
export const servesLabels = (services: string[]) =>
  Object.fromEntries(services.map((service) => [servesLabel(service), "true"]));

/** The name of the entry of a host that is probed; others have the host's, which has no dot. */
export const probedEntry = (host: string) => `${host}.probed`;

/** Without a probe that has succeeded, an entry with this annotation is no endpoint (serviceentry: isHealthy). */
export const HEALTH_CHECKED = { "proxy.istio.io/health-checks-enabled": "true" };

/** The status of such an entry when its host is about to leave, whatever its sidecar said last. */
export const LEAVING = { conditions: [{ type: "Healthy", status: "False", message: "it leaves the mesh" }] };

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
