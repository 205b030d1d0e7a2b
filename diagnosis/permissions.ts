import { type Config, isInstalled } from "../config";
import { exposureOf } from "../mesh/exposure";
import type { KubernetesObject } from "../mesh/kubernetesObject";

/** What one may do to a kind of object. */
export interface Permission {
  group: string;
  resource: string;
  /** A part of it with rights of its own. */
  subresource?: string;
  verb: string;
}

/** What server-side apply, waiting, refreshing and destroying need. */
const VERBS = ["get", "create", "patch", "delete"];

type Kind = [group: string, resource: string];
const ISTIO = (resource: string): Kind => ["networking.istio.io", resource];

/** What the program makes besides istiod's manifest. */
function ownKinds(config: Config): Kind[] {
  const { exposure, sampleClient } = config;
  const installed = isInstalled(config);
  const passing = exposureOf(exposure, { installed }).passed.length > 0;
  return [
    ["", "namespaces"],
    ["", "services"],
    ["", "serviceaccounts"],
    ISTIO("serviceentries"),
    ...(installed ? [["", "secrets"] satisfies Kind, ["", "configmaps"] satisfies Kind] : []),
    ...(passing ? ["gateways", "virtualservices", "destinationrules"].map(ISTIO) : []),
    ...(sampleClient || exposure.type === "EastWestGateway" ? [["apps", "deployments"] satisfies Kind] : []),
  ];
}

/** `ClusterRole` -> `clusterroles`, as the API names its collections. */
const plural = (kind: string) => kind.toLowerCase().replace(/y$/, "ie") + "s";

/** Everything that one must be allowed to do, given istioctl's manifest; none where the control plane is there already. */
export function neededPermissions(config: Config, manifest: KubernetesObject[]): Permission[] {
  const kinds = manifest.map(({ apiVersion, kind }): Kind => {
    const [group = ""] = apiVersion.includes("/") ? apiVersion.split("/") : [];
    return [group, plural(kind)];
  });
  const unique = new Map(
    [...ownKinds(config), ...kinds].map(([group, resource]) => [`${resource}.${group}`, { group, resource }]),
  );
  const tokens = config.hosts.some(({ identity, gone }) => identity === "token" && !gone)
    ? [{ group: "", resource: "serviceaccounts", subresource: "token", verb: "create" }]
    : [];
  return [...[...unique.values()].flatMap((kind) => VERBS.map((verb) => ({ ...kind, verb }))), ...tokens];
}

/** The question to the API server, as a SelfSubjectAccessReview. */
export function accessReview(resourceAttributes: Permission) {
  return {
    apiVersion: "authorization.k8s.io/v1",
    kind: "SelfSubjectAccessReview",
    spec: { resourceAttributes },
  };
}

/** How kubectl shall print the answers: a line each. */
export const REVIEW_FORMAT =
  'jsonpath={.status.allowed} {.spec.resourceAttributes.verb} {.spec.resourceAttributes.resource} {.spec.resourceAttributes.group} {.spec.resourceAttributes.subresource}{"\\n"}';

/** What is not allowed, by those lines: `create deployments.apps`, several verbs of one kind together. */
export function forbiddenBy(answers: string): string[] {
  const verbs = new Map<string, string[]>();
  for (const line of answers.split("\n")) {
    const [allowed, verb = "", resource = "", group = "", subresource = ""] = line.split(" ");
    if (resource === "" || allowed === "true") continue;
    const kind = `${resource}${group && `.${group}`}${subresource && `/${subresource}`}`;
    verbs.set(kind, [...(verbs.get(kind) ?? []), verb]);
  }
  return [...verbs].map(([kind, list]) => `${list.join("/")} ${kind}`);
}
