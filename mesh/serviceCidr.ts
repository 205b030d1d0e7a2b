import { isRange, rangeProblem } from "./addresses";

/** Why a text is no comma-separated list of ranges; undefined if it is one. */
export function rangesProblem(text: string): string | undefined {
  const problems = text.split(",").flatMap((range) => rangeProblem(range.trim()) ?? []);
  return problems.length === 0 ? undefined : problems.join("; ");
}

/**
 * The ranges in a `kubectl get servicecidrs -o json` answer (networking.k8s.io/v1, Kubernetes 1.33 and later),
 * comma-separated as Istio wants them, or undefined when there is none.
 */
export function fromServiceCidrList(json: string): string | undefined {
  const { items } = JSON.parse(json) as { items: { spec?: { cidrs?: string[] } }[] };
  const cidrs = items.flatMap((item) => item.spec?.cidrs ?? []);
  return cidrs.length > 0 ? cidrs.join(",") : undefined;
}

/**
 * The range in an API server's refusal of a Service whose cluster IP lies outside of it ("The range of valid IPs is
 * 10.96.0.0/16"): how a client learns it where there is no ServiceCIDR object (pkg/registry/core/service/ipallocator).
 */
export function fromRefusal(message: string): string | undefined {
  const range = /range of valid IPs is ([0-9a-fA-F.:]+\/\d+)/.exec(message)?.[1];
  return range !== undefined && isRange(range) ? range : undefined;
}
