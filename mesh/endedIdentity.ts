import { sha256 } from "./digest";
import { type KubernetesObject, ownerLabels } from "./kubernetesObject";

/** An identity that has ended, and whose it was. */
export interface EndedIdentity {
  /** The host's name in the stack. */
  host: string;
  /** The SPIFFE ID. */
  identity: string;
}

const HOST = "pulumi-istio-vm/host";
const IDENTITY = "pulumi-istio-vm/identity";

/** The kind, as kubectl names it. */
export const AUTHORIZATION_POLICIES = "authorizationpolicies.security.istio.io";

/** What refuses an identity is called so: an identity may be longer than a name. */
export const endedName = (identity: string, owner: string) =>
  `istio-vm-ended-${sha256(`${owner} ${identity}`).slice(0, 10)}`;

/**
 * What refuses an identity as a client of everything in the mesh that has a sidecar, be it in a pod or on a host, and of
 * gateways: an AuthorizationPolicy without a selector in the mesh's root namespace
 * (istio.io/docs/reference/config/security/authorization-policy). Not of istiod, which has none.
 */
export function endedIdentityPolicy(
  { host, identity }: EndedIdentity,
  { owner, rootNamespace }: { owner: string; rootNamespace: string },
): KubernetesObject {
  return {
    apiVersion: "security.istio.io/v1",
    kind: "AuthorizationPolicy",
    metadata: {
      name: endedName(identity, owner),
      namespace: rootNamespace,
      labels: ownerLabels(owner),
      annotations: { [HOST]: host, [IDENTITY]: identity },
    },
    spec: {
      action: "DENY",
      rules: [{ from: [{ source: { principals: [identity.replace(/^spiffe:\/\//, "")] } }] }],
    },
  };
}

/** An identity that has ended, as such a policy tells of it; undefined of another policy. */
export function endedIdentityIn({ metadata }: KubernetesObject): (EndedIdentity & { since: Date }) | undefined {
  const { annotations = {}, creationTimestamp } = metadata;
  const { [HOST]: host, [IDENTITY]: identity } = annotations;
  if (host === undefined || identity === undefined || creationTimestamp === undefined) return undefined;
  return { host, identity, since: new Date(creationTimestamp) };
}
