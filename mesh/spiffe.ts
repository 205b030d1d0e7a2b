/** Who a workload is: its Kubernetes namespace and service account within a trust domain. */
export interface WorkloadName {
  trustDomain: string;
  namespace: string;
  serviceAccount: string;
}

/**
 * The SPIFFE ID that Istio gives a workload, `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`
 * (istio.io/istio/pkg/spiffe). It is the one URI SAN of the workload's certificate.
 */
export function spiffeId({ trustDomain, namespace, serviceAccount }: WorkloadName): string {
  return `spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`;
}
