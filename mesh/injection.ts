import { DEFAULT_REVISION } from "./istiod";

/**
 * The labels by which a pod asks for a sidecar of a revision itself: its namespace's own are not ours to change
 * (manifests/charts/istio-control/istio-discovery/templates/mutatingwebhook.yaml).
 */
export function injectionLabels(revision: string): Record<string, string> {
  return revision === DEFAULT_REVISION ? { "sidecar.istio.io/inject": "true" } : { "istio.io/rev": revision };
}
