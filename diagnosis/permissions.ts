import type { KubernetesObject } from "../mesh/kubernetesObject";

/** What one may do to a kind of object. */
export interface Permission {
  group: string;
  resource: string;
  verb: string;
}

/** What server-side apply, waiting, refreshing and destroying need. */
const VERBS = ["get", "create", "patch", "delete"];

/** What the program makes besides istiod's manifest. */
const OWN_KINDS: [group: string, resource: string][] = [
  ["", "namespaces"],
  ["", "secrets"],
  ["", "configmaps"],
  ["", "services"],
  ["", "serviceaccounts"],
  ["apps", "deployments"],
  ...["gateways", "virtualservices", "destinationrules", "serviceentries"].map((resource): [string, string] => [
    "networking.istio.io",
    resource,
  ]),
];

/** `ClusterRole` -> `clusterroles`, as the API names its collections. */
const plural = (kind: string) => kind.toLowerCase().replace(/y$/, "ie") + "s";

/** Everything that one must be allowed to do, given istioctl's manifest. */
export function neededPermissions(manifest: KubernetesObject[]): Permission[] {
  const kinds = manifest.map(({ apiVersion, kind }): [string, string] => {
    const [group = ""] = apiVersion.includes("/") ? apiVersion.split("/") : [];
    return [group, plural(kind)];
  });
  const unique = new Map(
    [...OWN_KINDS, ...kinds].map(([group, resource]) => [`${resource}.${group}`, { group, resource }]),
  );
  return [...unique.values()].flatMap((kind) => VERBS.map((verb) => ({ ...kind, verb })));
}

/** The question to the API server, as a SelfSubjectAccessReview. */
export function accessReview({ group, resource, verb }: Permission) {
  return {
    apiVersion: "authorization.k8s.io/v1",
    kind: "SelfSubjectAccessReview",
    spec: { resourceAttributes: { group, resource, verb } },
  };
}

/** How kubectl shall print the answers: a line each. */
export const REVIEW_FORMAT =
  'jsonpath={.status.allowed} {.spec.resourceAttributes.verb} {.spec.resourceAttributes.resource} {.spec.resourceAttributes.group}{"\\n"}';

/** What is not allowed, by those lines: `create deployments.apps`, several verbs of one kind together. */
export function forbiddenBy(answers: string): string[] {
  const verbs = new Map<string, string[]>();
  for (const line of answers.split("\n")) {
    const [allowed, verb = "", resource = "", group = ""] = line.split(" ");
    if (resource === "" || allowed === "true") continue;
    const kind = group === "" ? resource : `${resource}.${group}`;
    verbs.set(kind, [...(verbs.get(kind) ?? []), verb]);
  }
  return [...verbs].map(([kind, list]) => `${list.join("/")} ${kind}`);
}
