import { servesLabels, type Workload } from "./workloadEntry";

/** Protocols that Istio knows for a port (istio.io/docs/ops/configuration/traffic-management/protocol-selection). */
export const PROTOCOLS = ["HTTP", "HTTP2", "HTTPS", "GRPC", "TCP", "TLS", "MONGO"] as const;

export interface ServicePort {
  /** The port that clients use. */
  port: number;
  /** The port on the host. Default: the same. */
  targetPort?: number;
  protocol: (typeof PROTOCOLS)[number];
  /** Its name in the Service and the ServiceEntry. Default: `<protocol>-<port>`. */
  name?: string;
}

/**
 * The annotations of the Service: whom to expect beyond its namespace. Istio keeps one list for a name, of the Service or
 * of the ServiceEntry, whichever is the newer (pilot/pkg/model/push_context.go: addServiceAccounts), so both say it.
 */
export function serviceAnnotations(foreignIdentities: string[]): Record<string, string> | undefined {
  return foreignIdentities.length === 0
    ? undefined
    : { "alpha.istio.io/canonical-serviceaccounts": foreignIdentities.join(",") };
}

/** Istio reads a port's protocol from its name, `<protocol>-<suffix>`, unless appProtocol says it. */
export function portName({ name, protocol, port }: ServicePort): string {
  return name ?? `${protocol.toLowerCase()}-${port}`;
}

/** The name under which the mesh reaches a service. */
export function serviceHost(name: string, namespace: string, clusterDomain: string): string {
  return `${name}.${namespace}.svc.${clusterDomain}`;
}

/** The URL of a service's first port, as a client in the mesh writes it. */
export function serviceUrl(host: string, { protocol, port }: ServicePort): string {
  const scheme = {
    HTTP: "http",
    HTTP2: "http",
    HTTPS: "https",
    GRPC: "grpc",
    TCP: "tcp",
    TLS: "tls",
    MONGO: "mongodb",
  };
  return `${scheme[protocol]}://${host}:${port}`;
}

/**
 * The spec of the ServiceEntry (networking.istio.io/v1) for a service that hosts of the mesh serve: inside the mesh, by
 * the WorkloadEntries of its namespace that have its label (mesh/workloadEntry.ts), the client checking whom it reaches.
 *
 * @param foreignIdentities SPIFFE IDs of hosts of other namespaces: Istio expects those of the service's own
 */
export function serviceEntrySpec(host: string, service: string, ports: ServicePort[], foreignIdentities: string[]) {
  return {
    hosts: [host],
    location: "MESH_INTERNAL",
    resolution: "STATIC",
    ...(foreignIdentities.length > 0 ? { subjectAltNames: foreignIdentities } : {}),
    ports: entryPorts(ports),
    workloadSelector: { labels: servesLabels([service]) },
  };
}

const entryPorts = (ports: ServicePort[]) =>
  ports.map((p) => ({ name: portName(p), number: p.port, protocol: p.protocol, targetPort: p.targetPort ?? p.port }));

/** The end of a name that a service has for the sidecar of one of its hosts, and for nobody else. */
export const inboundSuffix = (host: string) => `.${host}.pulumi-istio-vm`;

/**
 * The spec of the ServiceEntry by which the sidecar of a host takes what comes for a service, whether or not anybody is sent
 * there: istiod else takes the port from it at once when the host is no endpoint any more (ProxyUpdate), and it answers 503
 * to those who have not heard of it yet. It is exported to nobody (`~`: all but the proxies that serve it, see
 * pkg/config/validation: validateExportTo).
 *
 * @param host the service's host name. The entry's begins with it: of two of the same second, a sidecar calls what it takes
 *   by the first (pilot/pkg/model: SetServiceTargets), in metrics for one
 */
export function inboundEntrySpec(host: string, ports: ServicePort[], name: string, workload: Workload) {
  const { address, serviceAccount, labels, network } = workload;
  return {
    hosts: [`${host}${inboundSuffix(name)}`],
    exportTo: ["~"],
    location: "MESH_INTERNAL",
    resolution: "STATIC",
    ports: entryPorts(ports),
    endpoints: [{ address, serviceAccount, labels, ...(network === undefined ? {} : { network }) }],
  };
}

/** As a DestinationRule has it (networking.istio.io/v1); this program reads nothing else of it. */
export interface TrafficPolicy {
  portLevelSettings?: object[];
  [setting: string]: unknown;
}

/** Whatever the label security.istio.io/tlsMode of the endpoints says. */
const PLAIN = { tls: { mode: "DISABLE" } };

/**
 * The spec of the DestinationRule of a service.
 *
 * @param plain whether clients are to speak plain text to it. What is said for a port counts there in place of all the rest
 *   (networking.istio.io/v1 TrafficPolicy.PortTrafficPolicy), so it is said there too
 */
export function destinationRuleSpec(host: string, policy: TrafficPolicy, plain: boolean) {
  if (!plain) return { host, trafficPolicy: policy };
  const { portLevelSettings } = policy;
  return {
    host,
    trafficPolicy: {
      ...policy,
      ...PLAIN,
      ...(portLevelSettings && { portLevelSettings: portLevelSettings.map((one) => ({ ...one, ...PLAIN })) }),
    },
  };
}

/**
 * The spec of the Service without selector that gives the name a cluster IP, so that clients resolve it.
 *
 * @param dualStack whether it is to have one of each family that the cluster has: only where sidecars take both, for behind
 *   the Service itself there is nobody
 */
export function serviceSpec(ports: ServicePort[], dualStack = false) {
  return {
    ...(dualStack ? { ipFamilyPolicy: "PreferDualStack" } : {}),
    ports: ports.map((p) => ({
      name: portName(p),
      port: p.port,
      targetPort: p.targetPort ?? p.port,
      protocol: "TCP",
      ...(p.name === undefined ? {} : { appProtocol: p.protocol.toLowerCase() }),
    })),
  };
}

export interface ServiceName {
  namespace: string;
  name: string;
}

/**
 * The name of a service's resource, and those that it had before: `a-b` and `c` would have the same as `a` and `b-c`, but
 * for a sign that no name has.
 */
export function serviceResource(
  { namespace, name }: ServiceName,
  services: ServiceName[],
): [string, { name: string }[]] {
  const plain = (service: ServiceName) => `service-${service.namespace}-${service.name}`;
  const former = plain({ namespace, name });
  if (!namespace.includes("-")) return [former, []];
  const others = services.filter((other) => plain(other) === former);
  return [`service-${namespace}/${name}`, others.length > 1 ? [] : [{ name: former }]];
}

/** The services that a host serves. */
export const servicesOf = <T extends { hosts: string[] }>(host: string, services: T[]): T[] =>
  services.filter(({ hosts }) => hosts.includes(host));

/** The names of services, by their namespace. */
export function namesByNamespace(served: ServiceName[]): Map<string, string[]> {
  return new Map(
    served.map(({ namespace }) => [
      namespace,
      served.filter((service) => service.namespace === namespace).map(({ name }) => name),
    ]),
  );
}
