import { type Exposure, INGRESS_GATEWAY } from "./exposure";

/** A JSON-like object, such as the spec of an IstioOperator. */
export type JsonObject = { [key: string]: unknown };

/** What of an IstioOperator follows from the rest of the configuration. */
export interface IstioOperatorFacts {
  trustDomain: string;
  /** Becomes `values.global.multiCluster.clusterName`; hosts give the same name to istiod. */
  clusterName: string;
  /** Whose ports the ingress gateway gets. */
  exposure: Exposure;
}

/** The chart's own ports of the ingress gateway. */
const GATEWAY_PORTS = [
  { name: "status-port", port: 15021, targetPort: 15021 },
  { name: "http2", port: 80, targetPort: 8080 },
  { name: "https", port: 443, targetPort: 8443 },
];

/**
 * The ports of the ingress gateway, and istiod's for hosts that reach it there (Istio 1.8 and older added them through
 * `values.global.meshExpansion`, which current istioctl refuses).
 */
function gatewayPorts({ passed }: Exposure) {
  const ports = [
    ...GATEWAY_PORTS,
    ...passed.map(({ name, gateway }) => ({ name, port: gateway, targetPort: gateway })),
  ];
  return ports.map((port) => ({ ...port, protocol: "TCP" }));
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * `over` laid upon `base`: objects are merged, lists whose entries all have a `name` are merged by it (gateways,
 * environment variables), and anything else of `over` takes the place of what `base` has. Neither is changed.
 */
export function merge(base: unknown, over: unknown): unknown {
  if (isObject(base) && isObject(over)) {
    const keys = new Set([...Object.keys(base), ...Object.keys(over)]);
    return Object.fromEntries(
      [...keys].map((key) => {
        if (!Object.hasOwn(over, key)) return [key, base[key]];
        return [key, Object.hasOwn(base, key) ? merge(base[key], over[key]) : over[key]];
      }),
    );
  }
  const named = (value: unknown): value is JsonObject[] =>
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((entry) => isObject(entry) && typeof entry.name === "string");
  if (named(base) && named(over)) {
    const rest = over.filter((entry) => !base.some((other) => other.name === entry.name));
    return [...base.map((entry) => merge(entry, over.find((other) => other.name === entry.name) ?? {})), ...rest];
  }
  return over;
}

/** Our own IstioOperator: Istio's default profile with an ingress gateway. */
function defaults({ trustDomain, clusterName, exposure }: IstioOperatorFacts): JsonObject {
  return {
    apiVersion: "install.istio.io/v1alpha1",
    kind: "IstioOperator",
    metadata: { name: "istio-vm", namespace: "istio-system" },
    spec: {
      profile: "default",
      meshConfig: { trustDomain },
      components: {
        ingressGateways: [
          { name: INGRESS_GATEWAY.service, enabled: true, k8s: { service: { ports: gatewayPorts(exposure) } } },
        ],
      },
      values: { global: { multiCluster: { clusterName } } },
    },
  };
}

/**
 * The text for `istioctl manifest generate -f -`: the user's IstioOperator laid upon our defaults. `user` is a whole
 * IstioOperator or just its spec's fields under `spec`. As JSON, which every reader of YAML takes alike: what is plain
 * text to one version of YAML (yes, 012) is not to another.
 *
 * @throws if it is of another kind, or would install Istio elsewhere than in istio-system, or contradicts `facts`.
 */
export function renderIstioOperator(user: JsonObject, facts: IstioOperatorFacts): string {
  if (user.kind !== undefined && user.kind !== "IstioOperator") {
    throw new Error(`the IstioOperator is of kind ${JSON.stringify(user.kind)}`);
  }
  const merged = merge(defaults(facts), user) as { metadata: JsonObject; spec: JsonObject };
  const fixed: [string, string, string][] = [
    ["metadata.namespace", "istio-system", "hosts find istiod under istiod.istio-system.svc"],
    ["spec.meshConfig.trustDomain", facts.trustDomain, "set cluster.trustDomain instead"],
    ["spec.values.global.multiCluster.clusterName", facts.clusterName, "set cluster.name instead"],
  ];
  for (const [path, expected, why] of fixed) {
    const actual = path.split(".").reduce<unknown>((at, key) => (isObject(at) ? at[key] : undefined), merged);
    if (actual !== expected) {
      throw new Error(`istioOperator: ${path} is ${JSON.stringify(actual)}, not "${expected}": ${why}`);
    }
  }
  return JSON.stringify(merged);
}
