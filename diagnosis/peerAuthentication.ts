/** Which PeerAuthentication counts for a port of a workload, by Istio's rules. */
import { matches } from "../mesh/labelSelector";
import type { Workload } from "./access";

export type MutualTlsMode = "STRICT" | "PERMISSIVE" | "DISABLE";

interface MutualTls {
  mode?: MutualTlsMode | "UNSET";
}

/** The parts of a PeerAuthentication (security.istio.io/v1) that decide. */
export interface PeerAuthentication {
  metadata: { name: string; namespace: string; creationTimestamp?: string };
  spec?: {
    selector?: { matchLabels?: Record<string, string> };
    mtls?: MutualTls;
    /** By the port of the workload, not of a service. */
    portLevelMtls?: Record<string, MutualTls>;
  };
}

/** What a sidecar takes at a port. */
export interface PeerPolicy {
  mode: MutualTlsMode;
  /** namespace/name of the policy that says so; undefined where none does, and it is Istio's default. */
  by?: string;
}

const labelsOf = ({ spec }: PeerAuthentication) => spec?.selector?.matchLabels ?? {};
const isGeneral = (policy: PeerAuthentication) => Object.keys(labelsOf(policy)).length === 0;

/** Of several for the same, the oldest counts (pilot/pkg/model/config.go, sortConfigByCreationTime). */
function oldest(policies: PeerAuthentication[]): PeerAuthentication | undefined {
  const key = ({ metadata: { creationTimestamp = "", name, namespace } }: PeerAuthentication) =>
    `${creationTimestamp} ${name}.${namespace}`;
  return [...policies].sort((a, b) => (key(a) < key(b) ? -1 : 1))[0];
}

/**
 * The mode by the narrowest policy that says one: for the port, the workload, its namespace, the mesh; PERMISSIVE where none
 * does (pilot/pkg/security/authn/policy_applier.go, ComposePeerAuthentication).
 *
 * @param roots the namespaces whose policies are everybody's (meshConfig.rootNamespace); one for a workload there counts not
 */
export function peerPolicyAt(
  port: number,
  { namespace, labels }: Workload,
  policies: PeerAuthentication[],
  roots: string[],
): PeerPolicy {
  const isRoot = ({ metadata }: PeerAuthentication) => roots.includes(metadata.namespace);
  const general = policies.filter(isGeneral);
  const ofWorkload = oldest(
    policies.filter(
      (policy) =>
        policy.metadata.namespace === namespace &&
        !isRoot(policy) &&
        !isGeneral(policy) &&
        matches(labels, labelsOf(policy)),
    ),
  );
  const ofNamespace = oldest(general.filter((policy) => policy.metadata.namespace === namespace && !isRoot(policy)));
  const ofMesh = oldest(general.filter(isRoot));
  const said: [PeerAuthentication | undefined, MutualTls | undefined][] = [
    [ofWorkload, ofWorkload?.spec?.portLevelMtls?.[port]],
    ...[ofWorkload, ofNamespace, ofMesh].map((policy): [typeof policy, MutualTls | undefined] => [
      policy,
      policy?.spec?.mtls,
    ]),
  ];
  for (const [policy, { mode } = {}] of said) {
    if (policy === undefined || mode === undefined || mode === "UNSET") continue;
    return { mode, by: `${policy.metadata.namespace}/${policy.metadata.name}` };
  }
  return { mode: "PERMISSIVE" };
}
