import type { ClusterObject } from "../../diagnosis/clusterObjects";
import { type Kubectl, list } from "../../tools/kubectl";

/** The EndpointSlices of a Service. */
export const slicesOf = (kubectl: Kubectl, namespace: string, service: string) =>
  list<ClusterObject>(
    kubectl,
    "endpointslices",
    `--namespace=${namespace}`,
    `--selector=kubernetes.io/service-name=${service}`,
  );
