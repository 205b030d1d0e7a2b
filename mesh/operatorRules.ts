import { INGRESS_GATEWAY, ingressPorts } from "./exposure";
import { GATEWAY_VALUES, gatewayEntry, type IstioOperatorFacts } from "./istioOperator";
import { at, isObject, type JsonObject } from "./json";

/** A value as a text; a map or a list as JSON. */
const show = (value: unknown) => JSON.stringify(value) ?? "nothing";

/** Something that an IstioOperator may not say: at which path, what is allowed there, and why. */
interface Rule {
  path: string;
  allows: (value: unknown) => boolean;
  expected: string;
}

const empty = (value: unknown) => value === undefined || value === null || value === "";
const oneOf =
  (...values: unknown[]) =>
  (value: unknown) =>
    empty(value) || values.includes(value);

const NO_REVISION =
  "no revision: hosts find istiod under istiod.istio-system.svc, which is that of the revision default";
const NAMESPACE = "istio-system: hosts find istiod under istiod.istio-system.svc";
const OWN_ISTIOD = "an istiod in this cluster, which hosts find under istiod.istio-system.svc";

/** Of values, be they checked by istioctl or not. */
const valuesRules = ({ trustDomain, clusterName }: IstioOperatorFacts): Rule[] => [
  { path: "revision", allows: oneOf("default"), expected: NO_REVISION },
  { path: "defaultRevision", allows: oneOf("default"), expected: NO_REVISION },
  { path: "revisionTags", allows: (tags) => empty(tags) || show(tags) === "[]", expected: NO_REVISION },
  { path: "global.istioNamespace", allows: oneOf("istio-system"), expected: NAMESPACE },
  {
    path: "meshConfig.trustDomain",
    allows: oneOf(trustDomain),
    expected: `"${trustDomain}", as cluster.trustDomain says`,
  },
  {
    path: "global.multiCluster.clusterName",
    allows: oneOf(clusterName),
    expected: `"${clusterName}", as cluster.name says`,
  },
  {
    path: "global.pilotCertProvider",
    allows: oneOf("istiod"),
    expected: '"istiod": hosts trust the stack\'s own root',
  },
  { path: "global.caAddress", allows: empty, expected: "no other CA: hosts' certificates are of the stack's own" },
  { path: "global.externalIstiod", allows: oneOf(false), expected: OWN_ISTIOD },
  { path: "global.remotePilotAddress", allows: empty, expected: OWN_ISTIOD },
  { path: "istiodRemote.enabled", allows: oneOf(false), expected: OWN_ISTIOD },
];

const inValues = (root: string, rules: Rule[]) => rules.map((rule) => ({ ...rule, path: `${root}.${rule.path}` }));

/** What would install something else than an istiod that hosts find, and what contradicts the rest of the configuration. */
const rules = (facts: IstioOperatorFacts): Rule[] => [
  { path: "kind", allows: oneOf("IstioOperator"), expected: "IstioOperator" },
  { path: "metadata.namespace", allows: oneOf("istio-system"), expected: NAMESPACE },
  { path: "spec.namespace", allows: oneOf("istio-system"), expected: NAMESPACE },
  { path: "spec.revision", allows: oneOf("default"), expected: NO_REVISION },
  { path: "spec.profile", allows: (profile) => profile !== "remote", expected: `a profile with ${OWN_ISTIOD}` },
  {
    path: "spec.meshConfig.trustDomain",
    allows: oneOf(facts.trustDomain),
    expected: `"${facts.trustDomain}", as cluster.trustDomain says`,
  },
  ...inValues("spec.values", valuesRules(facts)),
  ...inValues("spec.unvalidatedValues", valuesRules(facts)),
  ...["base", "pilot"].map((name) => ({
    path: `spec.components.${name}.namespace`,
    allows: oneOf("istio-system"),
    expected: NAMESPACE,
  })),
  // There from the beginning, and where some clusters want it.
  ...["cni", "ztunnel"].map((name) => ({
    path: `spec.components.${name}.namespace`,
    allows: oneOf("istio-system", "kube-system"),
    expected: "istio-system or kube-system",
  })),
  { path: "spec.components.pilot.enabled", allows: (enabled) => enabled !== false, expected: OWN_ISTIOD },
  { path: "spec.components.istiodRemote.enabled", allows: oneOf(false), expected: OWN_ISTIOD },
];

/** Maps and lists that istioctl does not take as absent when they are null: it fails without naming them. */
const NEVER_NULL = [
  "spec.meshConfig",
  "spec.values.global",
  "spec.values.global.multiCluster",
  "spec.values.meshConfig",
  "spec.components.ingressGateways",
  "spec.components.egressGateways",
];

/** Each gateway with its path. */
function gateways(user: JsonObject): [path: string, gateway: JsonObject][] {
  return ["ingressGateways", "egressGateways"].flatMap((kind) => {
    const list = at(user, `spec.components.${kind}`);
    if (!Array.isArray(list)) return [];
    return list.flatMap((gateway, n): [string, JsonObject][] =>
      isObject(gateway) ? [[`spec.components.${kind}[${n}]`, gateway]] : [],
    );
  });
}

/** What keeps hosts from istiod if they are to reach it through the ingress gateway. */
function gatewayProblems(user: JsonObject): string[] {
  const wanted = `exposure LoadBalancer needs the gateway ${INGRESS_GATEWAY.service}, through which hosts reach istiod`;
  if (at(user, "spec.components.ingressGateways") === undefined) return [];
  const entry = gatewayEntry(user);
  const place = "spec.components.ingressGateways";
  if (entry === undefined) return [`${place}: has no ${INGRESS_GATEWAY.service}; ${wanted}`];
  if (entry.enabled === false && at(user, `spec.${GATEWAY_VALUES}.enabled`) !== true) {
    return [`${place}: ${INGRESS_GATEWAY.service} is not enabled; ${wanted}, or choose exposure NodePort`];
  }
  const nulls = ["k8s", "k8s.service", "k8s.service.ports"].filter((path) => at(entry, path) === null);
  return nulls.map(
    (path) => `${place}: ${path} of ${INGRESS_GATEWAY.service} is null; give it a value, or remove the line`,
  );
}

/** Whatever is wrong with an IstioOperator that can be known without istioctl, a line each. */
export function operatorProblems(user: JsonObject, facts: IstioOperatorFacts): string[] {
  const refused = rules(facts).flatMap(({ path, allows, expected }) => {
    const value = at(user, path);
    return allows(value) ? [] : [`${path}: ${show(value)} is not allowed; expected ${expected}`];
  });
  const lists = ["spec.components.ingressGateways", "spec.components.egressGateways"]
    .map((path) => [path, at(user, path)] as const)
    .filter(([, value]) => !empty(value) && !Array.isArray(value))
    .map(([path, value]) => `${path}: ${show(value)} is not allowed; expected a list of gateways`);
  const nulls = NEVER_NULL.filter((path) => at(user, path) === null).map(
    (path) => `${path}: null is not allowed; give it a value, or remove the line`,
  );
  const elsewhere = gateways(user)
    .filter(([, { namespace }]) => !oneOf("istio-system")(namespace))
    .map(([path, { namespace }]) => `${path}.namespace: ${show(namespace)} is not allowed; expected istio-system`);
  const ports = at(user, "spec.components.pilot.k8s.service.ports");
  const lacksPort = Array.isArray(ports) && ports.length > 0 && !ports.some((port) => at(port, "port") === 15012);
  const found = [
    ...refused,
    ...nulls,
    ...lists,
    ...elsewhere,
    ...(lacksPort ? ["spec.components.pilot.k8s.service.ports: lacks port 15012, at which hosts reach istiod"] : []),
    ...(ingressPorts(facts.exposure).length > 0 ? gatewayProblems(user) : []),
  ];
  return found.map((problem) => `controlPlane.install.operator.${problem}`);
}
