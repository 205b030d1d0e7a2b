import { matches } from "../mesh/labelSelector";

/** The parts of an AuthorizationPolicy (security.istio.io/v1) that say who may reach a workload. */
export interface AuthorizationPolicy {
  metadata: { name: string; namespace: string };
  spec?: {
    action?: string;
    selector?: { matchLabels?: Record<string, string> };
    rules?: { from?: { source: { principals?: string[]; namespaces?: string[] } }[]; to?: unknown[] }[];
  };
}

/** Who may reach a workload. */
export interface Access {
  /** Whoever the mesh knows; no policy narrows it down. */
  everybody: boolean;
  /** Else these: principals and `namespace NAME`; nobody if it is empty. */
  allowed: string[];
  /** And these not, whatever else is said. */
  denied: string[];
}

/** A workload, as policies see it. */
export interface Workload {
  namespace: string;
  labels: Record<string, string>;
}

function applies({ metadata, spec }: AuthorizationPolicy, { namespace, labels }: Workload, root: string): boolean {
  if (metadata.namespace !== namespace && metadata.namespace !== root) return false;
  return matches(labels, spec?.selector?.matchLabels);
}

function sources({ spec }: AuthorizationPolicy): string[] {
  return (spec?.rules ?? []).flatMap(({ from, to }) => {
    const limited = to === undefined ? "" : " (some requests)";
    if (from === undefined) return [`everybody${limited}`];
    return from.flatMap(({ source: { principals = [], namespaces = [] } }) =>
      [...principals, ...namespaces.map((name) => `namespace ${name}`)].map((who) => who + limited),
    );
  });
}

/**
 * Who may reach a workload by Istio's rules: DENY first, then ALLOW, and with no ALLOW policy everybody
 * (istio.io/docs/concepts/security/#implicit-enablement).
 *
 * @param root the namespace whose policies are everybody's (meshConfig.rootNamespace; istiod's, unless it says otherwise)
 */
export function accessTo(workload: Workload, policies: AuthorizationPolicy[], root: string): Access {
  const applying = policies.filter((policy) => applies(policy, workload, root));
  const of = (action: string) => applying.filter(({ spec }) => (spec?.action ?? "ALLOW") === action);
  const allowing = of("ALLOW");
  const unique = (list: AuthorizationPolicy[]) => [...new Set(list.flatMap(sources))];
  return { everybody: allowing.length === 0, allowed: unique(allowing), denied: unique(of("DENY")) };
}
