import { isIP } from "node:net";
import { type Capture, OWN_PORTS, type Ports, takenPorts } from "./capture";
import { withAllocated } from "./dns";
import { ISTIOD_NAME } from "./istiod";
import { assignment } from "./shell";

/** Where a host reaches istiod, and by which name istiod proves itself. */
export interface IstiodEndpoint {
  /** IP addresses, of which any will do; or one name, which the host's own DNS knows. */
  addresses: string[];
  port: number;
  /** Such as istiod.istio-system.svc. */
  name: string;
}

/** What `cluster.env` tells the sidecar of a host about the mesh. */
export interface ClusterEnvironment {
  /** What of the following goes through the sidecar. Default: all. */
  capture?: Capture;
  /** CIDRs whose outbound traffic goes through the sidecar, comma-separated, or `*`. */
  serviceCidr: string;
  /** TCP ports whose inbound traffic goes through the sidecar; `*` is all but those excluded. */
  inboundPorts: Ports;
  istiod: IstiodEndpoint;
  namespace: string;
  serviceAccount: string;
  /** The proxy's name in `istioctl proxy-status`, before `.<namespace>`. */
  proxyName: string;
  trustDomain: string;
  /** The cluster's name as istiod knows it (`values.global.multiCluster.clusterName`). */
  clusterName: string;
  /** The network that the host is in, where networks have names. */
  network?: string;
  /** Whether istiod has proxies serve both families of addresses. Default: false. */
  dualStack?: boolean;
  /** The port of the host's SSH server. */
  sshPort: number;
  /** Whether it proves who it is by a certificate that was sent; else by a token. */
  byCertificate: boolean;
  /** Whether the agent answers look-ups of names (mesh/dns.ts). Default: false. */
  dns?: boolean;
}

/**
 * Where the certificate and the key lie that a host was sent. They are not where the agent puts its own, which last a day:
 * a host that was off for longer has these to come back with.
 */
export const SENT_IDENTITY = "/var/lib/istio/identity";

const LISTS = "/var/lib/istio/crl";
/** Revocation lists, to which the agent is led from where it looks for them (host/lists.sh). */
export const LISTS_FILE = `${LISTS}/ca-crl.pem`;
/** What leads there is made by systemd-tmpfiles, which reads this. */
export const LISTS_AT_BOOT = "/etc/tmpfiles.d/istio-vm.conf";
/** Its lines: nothing of root's is made in a folder of somebody else's, as the sidecar's unit makes the first of these. */
export const LISTS_AT_BOOT_LINES = [
  ...["/run/secrets", "/run/secrets/istio"].map((folder) => `d ${folder} 0755 istio-proxy istio-proxy -`),
  `L /run/secrets/istio/crl - - - - ${LISTS}`,
];

/** What `sidecar.env` tells the sidecar about the host itself. */
export interface SidecarEnvironment {
  /** The address at which the mesh reaches the host. */
  address: string;
  /** Labels of the workload, as on a pod. */
  labels: Record<string, string>;
  /** Further variables, from the user. */
  extra: Record<string, string>;
}

/** Variables that this program sets: a host's `environment` may not name them. */
export const RESERVED_VARIABLES: readonly string[] = [
  "ISTIO_SERVICE_CIDR",
  "ISTIO_INBOUND_PORTS",
  "ISTIO_PILOT_PORT",
  "PILOT_ADDRESS",
  "CA_ADDR",
  "ISTIOD_SAN",
  "ISTIO_NAMESPACE",
  "SERVICE_ACCOUNT",
  "POD_NAME",
  "TRUST_DOMAIN",
  "PROV_CERT",
  "OUTPUT_CERTS",
  "CA_ROOT_CA",
  "PROXY_CONFIG_XDS_AGENT",
  "ISTIO_META_CLUSTER_ID",
  "ISTIO_META_NETWORK",
  "ISTIO_DUAL_STACK",
  "ISTIO_LOCAL_EXCLUDE_PORTS",
  "ISTIO_SVC_IP",
  "ISTIO_METAJSON_LABELS",
];

/** The lines of `/var/lib/istio/envoy/cluster.env`, in a stable order: the tutorial's three, then the identity. */
export function clusterEnv(env: ClusterEnvironment): string[] {
  return [
    ...captureLines(env),
    ...istiodLines(env.istiod),
    namespaceLine(env),
    assignment("SERVICE_ACCOUNT", env.serviceAccount),
    assignment("POD_NAME", env.proxyName),
    assignment("TRUST_DOMAIN", env.trustDomain),
    assignment("ISTIO_META_CLUSTER_ID", env.clusterName),
    ...(env.network === undefined ? [] : [assignment("ISTIO_META_NETWORK", env.network)]),
    ...(env.byCertificate ? sentIdentityLines() : []),
    // The agent then takes root certificates that istiod gets later, and a new certificate by another CA, at once
    // (security/pkg/nodeagent, ISTIO_MULTIROOT_MESH).
    assignment("PROXY_CONFIG_XDS_AGENT", "true"),
    excludedPortsLine(env),
  ];
}

/**
 * What istio-iptables makes rules for. Of an empty list it makes none: for no range nothing that goes out is taken, but its
 * chains are there all the same (tools/istio-iptables/pkg/capture/run.go). With ISTIO_CUSTOM_IP_TABLES istio-start.sh does
 * not run it.
 */
export function captureLines({
  capture = "all",
  inboundPorts,
  serviceCidr,
  dns,
  dualStack,
}: Pick<ClusterEnvironment, "capture" | "inboundPorts" | "serviceCidr" | "dns" | "dualStack">): string[] {
  const taken = takenPorts(capture, inboundPorts);
  const outgoing = capture !== "all" ? "" : dns ? withAllocated(serviceCidr) : serviceCidr;
  return [
    assignment("ISTIO_SERVICE_CIDR", outgoing),
    assignment("ISTIO_INBOUND_PORTS", taken === "*" ? "*" : taken.join(",")),
    ...(capture === "none" ? [assignment("ISTIO_CUSTOM_IP_TABLES", "true")] : []),
    // Rules for both families; and to the agent, at which addresses Envoy has its own ports.
    ...(dualStack ? [assignment("ISTIO_DUAL_STACK", "true")] : []),
  ];
}

export function excludedPortsLine({ sshPort }: Pick<ClusterEnvironment, "sshPort">): string {
  const excluded = [...new Set([...OWN_PORTS, sshPort])].sort((a, b) => a - b);
  return assignment("ISTIO_LOCAL_EXCLUDE_PORTS", excluded.join(","));
}

/**
 * By default istio-start.sh lets the agent read what proves the host's identity where it then puts what istiod gives it
 * for that. The root is to be that which the agent keeps up to date (pkg/istio-agent, FindRootCAForCA), for which else it
 * would look beside the certificate that was sent.
 */
const sentIdentityLines = () => [
  assignment("PROV_CERT", SENT_IDENTITY),
  assignment("OUTPUT_CERTS", "/etc/certs"),
  assignment("CA_ROOT_CA", "/etc/certs/root-cert.pem"),
];

/** The address at which the mesh reaches the host. */
function addressLine({ address }: Pick<SidecarEnvironment, "address">): string {
  return assignment("ISTIO_SVC_IP", address);
}

/** The lines of `/var/lib/istio/envoy/sidecar.env`, sorted by name after the address. */
export function sidecarEnv({ address, labels, extra }: SidecarEnvironment): string[] {
  const sorted = (record: Record<string, string>) => Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));
  const lines = [addressLine({ address })];
  if (Object.keys(labels).length > 0) {
    lines.push(assignment("ISTIO_METAJSON_LABELS", JSON.stringify(Object.fromEntries(sorted(labels)))));
  }
  return [...lines, ...sorted(extra).map(([name, value]) => assignment(name, value))];
}

const hasAddresses = ({ addresses }: IstiodEndpoint) => addresses.every((address) => isIP(address) !== 0);

/**
 * What only the agent is to hear stands behind the namespace: istio-start.sh puts the agent's command together, as text,
 * from this variable, which serves nothing else.
 *
 * It always gives the agent a CA_ADDR, for which ISTIOD_SAN does not count: only without one is the CA, as all else, istiod
 * at its discoveryAddress. And to istio-iptables ISTIO_META_DNS_CAPTURE would mean rules that are there whenever the unit is.
 */
function namespaceLine({ namespace, istiod, dns }: Pick<ClusterEnvironment, "namespace" | "istiod" | "dns">): string {
  const agents = [...(hasAddresses(istiod) ? [] : ["CA_ADDR="]), ...(dns ? ["ISTIO_META_DNS_CAPTURE=true"] : [])];
  return assignment("ISTIO_NAMESPACE", [namespace, ...agents].join(" "));
}

/**
 * The variables by which istio-start.sh tells the agent where istiod is. By a name of its own it is dialled as that, and
 * verified as istiod all the same (ISTIOD_SAN, pilot/cmd/pilot-agent/options).
 */
function istiodLines(istiod: IstiodEndpoint): string[] {
  const { addresses, port, name } = istiod;
  if (!hasAddresses(istiod)) {
    return [assignment("PILOT_ADDRESS", `${addresses[0]}:${port}`), assignment("ISTIOD_SAN", name)];
  }
  return name === ISTIOD_NAME
    ? [assignment("ISTIO_PILOT_PORT", String(port))]
    : [assignment("PILOT_ADDRESS", `${name}:${port}`)];
}

/**
 * The lines of `/etc/hosts` by which the sidecar finds istiod under the name that istiod's certificate has: of several
 * addresses the agent tries one after the other. None where it is dialled by a name of its own.
 */
export function hostsEntries(istiod: IstiodEndpoint): string[] {
  return hasAddresses(istiod) ? istiod.addresses.map((address) => `${address} ${istiod.name}`) : [];
}
