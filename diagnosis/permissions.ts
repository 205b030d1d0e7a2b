import { type Config, isInstalled, letsPass } from "../config";
import { isExisting, wantedNamespaces } from "../config/namespaces";
import { exposureOf } from "../mesh/exposure";
import { servicesOf } from "../mesh/externalService";
import { USUAL_ISTIOD } from "../mesh/istiod";
import type { KubernetesObject } from "../mesh/kubernetesObject";
import { mayWaitForServer } from "../mesh/protocolDetection";

/** What one may do to a kind of object. */
export interface Permission {
  group: string;
  resource: string;
  /** A part of it with rights of its own. */
  subresource?: string;
  verb: string;
  /** Without one: of the cluster, or in all namespaces. */
  namespace?: string;
}

/** What decides which rights are needed, besides the configuration. */
export interface Circumstances {
  /** istioctl's manifest; nothing where the control plane is there already. */
  manifest: KubernetesObject[];
  /** Namespaces with service accounts that the stack makes. */
  accounts: string[];
  /** The namespaces of the control planes that are there already. */
  istiods: string[];
  /** Where their policies count for the whole mesh. */
  rootNamespaces: string[];
}

type Kind = [group: string, resource: string];
interface Need {
  kinds: Kind[];
  verbs: string[];
  namespace?: string;
}

/** What server-side apply, waiting, refreshing and destroying need. The provider waits for ever for what it may not watch. */
const MAKE = ["get", "list", "watch", "create", "patch", "delete"];
/** The same for the Service of somebody else, which gets a port. */
const PATCH = ["get", "list", "watch", "patch"];
/** By what the provider sees that these kinds are ready. */
const WATCHED: Record<string, Kind[]> = {
  services: [["", "endpoints"]],
  deployments: [
    ["apps", "replicasets"],
    ["", "pods"],
    ["", "persistentvolumeclaims"],
  ],
};

const SERVICES: Kind = ["", "services"];
const ACCOUNTS: Kind = ["", "serviceaccounts"];
const CONFIG_MAPS: Kind = ["", "configmaps"];
const NAMESPACES: Kind = ["", "namespaces"];
const DEPLOYMENTS: Kind = ["apps", "deployments"];
const WEBHOOKS: Kind = ["admissionregistration.k8s.io", "mutatingwebhookconfigurations"];
const istio = (resource: string): Kind => ["networking.istio.io", resource];
const ROUTES = ["gateways", "virtualservices", "destinationrules"].map(istio);

function change(verbs: string[], kinds: Kind[], namespace?: string): Need[] {
  const watched = kinds.flatMap(([, resource]) => WATCHED[resource] ?? []);
  return [
    { verbs, kinds, namespace },
    { verbs: ["list", "watch"], kinds: watched, namespace },
  ];
}
const make = (kinds: Kind[], namespace?: string) => change(MAKE, kinds, namespace);
const read = (kinds: Kind[], namespace?: string): Need[] => [{ verbs: ["list"], kinds, namespace }];

/** For the way to istiod. */
function exposing(config: Config, istiods: string[]): Need[] {
  const { exposure } = config;
  const { through, passed } = exposureOf(exposure, { installed: isInstalled(config) });
  const routes = passed.length > 0 ? ROUTES : [];
  if (exposure.type === "EastWestGateway") {
    return make([SERVICES, ACCOUNTS, DEPLOYMENTS, ...routes], exposure.namespace);
  }
  if (exposure.type === "LoadBalancer") {
    const { namespace } = exposure.gateway;
    return [...make(routes, namespace), ...change(PATCH, [SERVICES], namespace)];
  }
  return through === "ownService" ? istiods.flatMap((namespace) => make([SERVICES], namespace)) : [];
}

/** What previews read of a control plane that is there already (tools/existing). */
const looking = (istiods: string[]): Need[] => [
  ...read([DEPLOYMENTS, WEBHOOKS, NAMESPACES]),
  ...istiods.flatMap((namespace) => read([SERVICES, CONFIG_MAPS], namespace)),
];

/** `ClusterRole` -> `clusterroles`, as the API names its collections. */
const plural = (kind: string) => kind.toLowerCase().replace(/y$/, "ie") + "s";

/** For a control plane of the stack's own: its CA, what istioctl says, and the type of istiod's Service. */
const installing = (manifest: KubernetesObject[]): Need[] => [
  ...make([["", "secrets"], CONFIG_MAPS, SERVICES], USUAL_ISTIOD.namespace),
  ...manifest.flatMap(({ apiVersion, kind, metadata: { namespace } }) => {
    const [group = ""] = apiVersion.includes("/") ? apiVersion.split("/") : [];
    return make([[group, plural(kind)]], namespace);
  }),
];

/** What ends the identity of a host that leaves, by kubectl. */
const ending = (rootNamespaces: string[]): Need[] =>
  rootNamespaces.map((namespace) => ({
    kinds: [["security.istio.io", "authorizationpolicies"]],
    verbs: ["get", "list", "create", "patch", "delete"],
    namespace,
  }));

/** Everything that one must be allowed to do, each once. */
export function neededPermissions(
  config: Config,
  { manifest, accounts, istiods, rootNamespaces }: Circumstances,
): Permission[] {
  const { hosts, services, sampleClient, denyEnded } = config;
  const needs = [
    ...(wantedNamespaces(config).every((name) => isExisting(config, name)) ? [] : make([NAMESPACES])),
    ...accounts.flatMap((namespace) => make([ACCOUNTS], namespace)),
    ...hosts.flatMap(({ namespace }) => read([ACCOUNTS], namespace)),
    ...services.flatMap(({ namespace }) =>
      make([SERVICES, istio("serviceentries"), istio("workloadentries")], namespace),
    ),
    ...hosts
      .filter(({ name, gone }) => !gone && servicesOf(name, services).length > 0)
      .flatMap(({ namespace }) => make([istio("serviceentries")], namespace)),
    ...services
      .filter((service) => service.trafficPolicy !== undefined || hosts.some((host) => letsPass(host, service)))
      .flatMap(({ namespace }) => make([istio("destinationrules")], namespace)),
    ...hosts
      .filter(({ gateway, gone }) => gateway && !gone)
      .flatMap(({ namespace }) => make([SERVICES, istio("gateways")], namespace)),
    ...hosts
      .filter((host) => !host.gone && mayWaitForServer(host, services))
      .flatMap(({ namespace }) => make([istio("envoyfilters")], namespace)),
    ...(sampleClient ? make([ACCOUNTS, DEPLOYMENTS], sampleClient.namespace) : []),
    ...(denyEnded && accounts.length > 0 ? ending(rootNamespaces) : []),
    ...exposing(config, istiods),
    ...(isInstalled(config) ? installing(manifest) : looking(istiods)),
  ];
  const all = needs.flatMap(({ kinds, verbs, namespace }) =>
    kinds.flatMap(([group, resource]) => verbs.map((verb): Permission => ({ group, resource, verb, namespace }))),
  );
  const tokens = hosts
    .filter(({ identity, gone }) => identity === "token" && !gone)
    .map(({ namespace }): Permission => {
      return { group: "", resource: "serviceaccounts", subresource: "token", verb: "create", namespace };
    });
  // To take one that leaves out of its services.
  const health = hosts
    .filter(({ readinessProbe, gone }) => readinessProbe !== undefined && !gone)
    .map(({ namespace }): Permission => {
      const [group, resource] = istio("workloadentries");
      return { group, resource, subresource: "status", verb: "patch", namespace };
    });
  return [...new Map([...all, ...tokens, ...health].map((one) => [JSON.stringify(one), one])).values()];
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
export const REVIEW_FORMAT = `jsonpath={.status.allowed}${["verb", "resource", "group", "subresource", "namespace"]
  .map((field) => ` {.spec.resourceAttributes.${field}}`)
  .join("")}{"\\n"}`;

/** What is not allowed, by those lines: `create deployments.apps in vm`, several verbs of one kind together. */
export function forbiddenBy(answers: string): string[] {
  const verbs = new Map<string, string[]>();
  for (const line of answers.split("\n")) {
    const [allowed, verb = "", resource = "", group = "", subresource = "", namespace = ""] = line.split(" ");
    if (resource === "" || allowed === "true") continue;
    const kind = `${resource}${group && `.${group}`}${subresource && `/${subresource}`}${namespace && ` in ${namespace}`}`;
    verbs.set(kind, [...(verbs.get(kind) ?? []), verb]);
  }
  return [...verbs].map(([kind, list]) => `${list.join("/")} ${kind}`);
}
