import { TRUST_CONFIG } from "./rotation";
import { type Exposure, INGRESS_GATEWAY, ingressPorts, type PassedPort } from "./exposure";
import { at, isObject, type JsonObject } from "./json";

/** What of an IstioOperator follows from the rest of the configuration. */
export interface IstioOperatorFacts {
  trustDomain: string;
  /** Becomes `values.global.multiCluster.clusterName`; hosts give the same name to istiod. */
  clusterName: string;
  /** Whose ports the ingress gateway gets. */
  exposure: Exposure;
}

/** An IstioOperator as the user wrote it: the text, which goes to istioctl, and what it says, for our own eyes. */
export interface UserOperator {
  text: string;
  content: JsonObject;
}

/** Where an IstioOperator may say which ports the ingress gateway has: the first wins. */
export const GATEWAY_VALUES = `values.gateways.${INGRESS_GATEWAY.service}`;

/** The user's entry for the ingress gateway. */
export function gatewayEntry(user: JsonObject): JsonObject | undefined {
  const list = at(user, "spec.components.ingressGateways");
  if (!Array.isArray(list)) return undefined;
  return list.filter(isObject).find(({ name }) => name === INGRESS_GATEWAY.service);
}

interface ServicePort {
  name?: unknown;
  port?: unknown;
  targetPort?: unknown;
}

/** The chart's own ports of the ingress gateway, which any list of ports takes the place of. */
const CHART_PORTS: ServicePort[] = [
  { name: "status-port", port: 15021, targetPort: 15021 },
  { name: "http2", port: 80, targetPort: 8080 },
  { name: "https", port: 443, targetPort: 8443 },
];

const portsIn = (value: unknown): ServicePort[] => (Array.isArray(value) ? value.filter(isObject) : []);

/** A name that is not taken. */
function freeName(name: string, taken: ServicePort[]): string {
  return taken.some((port) => port.name === name) ? freeName(`${name}-vm`, taken) : name;
}

/**
 * The flags by which the ingress gateway gets istiod's ports as well (Istio 1.8 and older added them through
 * `values.global.meshExpansion`, which current istioctl refuses): behind the ports that it has, each by itself, so that
 * none of the user's own is written anew. A port that the user's list has already is not added.
 */
function gatewayFlags(user: JsonObject, passed: PassedPort[]): string[] {
  const ofEntry = portsIn(at(gatewayEntry(user), "k8s.service.ports"));
  const ofValues = portsIn(at(user, `spec.${GATEWAY_VALUES}.ports`));
  const inValues = ofEntry.length === 0 && ofValues.length > 0;
  const own = inValues ? ofValues : ofEntry;
  const place = inValues
    ? `${GATEWAY_VALUES}.ports`
    : `components.ingressGateways.[name:${INGRESS_GATEWAY.service}].k8s.service.ports`;
  const wanted = passed.map(({ name, gateway }) => ({ name, port: gateway, targetPort: gateway }));
  const present = own.length > 0 ? own : CHART_PORTS;
  const missing = wanted
    .filter(({ port }) => !present.some((other) => other.port === port))
    .map((port) => ({ ...port, name: freeName(port.name, present) }));
  return [...(own.length > 0 ? [] : CHART_PORTS), ...missing].flatMap((port, n) =>
    Object.entries({ ...port, protocol: "TCP" }).map(
      ([field, value]) => `--set=${place}.[${own.length + n}].${field}=${value as string | number}`,
    ),
  );
}

/**
 * What it takes to replace the CA one day (mesh/rotation.ts) without restarting everything before: that istiod takes
 * further roots, that agents take them at once, and a mesh config of our own by which these can be told to.
 */
const SHARED = { SHARED_MESH_CONFIG: TRUST_CONFIG };

/**
 * What `istioctl manifest generate` gets: the user's IstioOperator as it was written, and ours, which istioctl lays upon
 * it. What is plain text to one reader of YAML (`yes`, `012`, a number of twenty digits) is not to another, so that
 * nothing of the user's may pass through a reader of ours.
 */
export interface IstioctlInput {
  user: string;
  ours: string;
  flags: string[];
}

export function istioctlInput({ text, content }: UserOperator, facts: IstioOperatorFacts): IstioctlInput {
  const { trustDomain, clusterName, exposure } = facts;
  const passed = ingressPorts(exposure);
  const hasGateways = at(content, "spec.components.ingressGateways") !== undefined;
  const components = { ingressGateways: [{ name: INGRESS_GATEWAY.service, enabled: true }] };
  const pilot = at(content, "spec.values.pilot.env.SHARED_MESH_CONFIG") === undefined ? SHARED : {};
  const ours = {
    apiVersion: "install.istio.io/v1alpha1",
    kind: "IstioOperator",
    spec: {
      meshConfig: { trustDomain, defaultConfig: { proxyMetadata: { PROXY_CONFIG_XDS_AGENT: "true" } } },
      ...(passed.length > 0 && !hasGateways ? { components } : {}),
      values: {
        global: { multiCluster: { clusterName } },
        pilot: { env: { ISTIO_MULTIROOT_MESH: "true", ...pilot } },
      },
    },
  };
  return { user: text, ours: JSON.stringify(ours), flags: passed.length > 0 ? gatewayFlags(content, passed) : [] };
}
