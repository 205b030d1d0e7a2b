/** A Kubernetes object as it stands in a manifest. */
export interface KubernetesObject {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    creationTimestamp?: string;
  };
  [field: string]: unknown;
}

/** The label that carries a stack's owner mark on every object that the stack creates, and on no other. */
export const OWNER_LABEL = "pulumi-istio-vm/owner";

/** The label of a host's workload, and of no other one: its value is the host's name. */
export const HOST_LABEL = "pulumi-istio-vm/host";

/**
 * The labels of an object that the stack with this owner mark creates.
 *
 * @typeParam Text - a text, or what will be one
 */
export function ownerLabels<Text>(owner: Text, labels: Record<string, Text> = {}): Record<string, Text> {
  return { ...labels, [OWNER_LABEL]: owner };
}
