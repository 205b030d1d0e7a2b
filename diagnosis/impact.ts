/** What becomes of a host's traffic when it joins, by the connections that it has just now. */
import type { Config, HostConfig } from "../config";
import { isWithin } from "../mesh/addresses";
import { withAllocated } from "../mesh/dns";
import { OWN_PORTS } from "../mesh/capture";
import { mayServerSpeakFirst } from "../mesh/protocolDetection";
import { workloadLabels } from "../mesh/workloadEntry";
import { isUnavailable, type Outputs, type Unavailable } from "./facts";
import type { Inspection } from "./inspection";
import { type PeerAuthentication, type PeerPolicy, peerPolicyAt } from "./peerAuthentication";
import { type Conversation, conversationsIn, isLoopback, type Listener, listenersIn, ownAddresses } from "./sockets";

/** What must be known of the cluster to say who is who, and what is taken from whom. Each may be refused by itself. */
export interface SurroundingFacts {
  pods: { name: string; addresses: string[]; hostNetwork: boolean; sidecar: boolean }[];
  nodes: { name: string; addresses: string[] }[];
  /** Services with a cluster IP. */
  services: { name: string; addresses: string[] }[];
  peerAuthentications: PeerAuthentication[];
  /** Where policies count for the whole mesh. */
  rootNamespaces: string[];
  /** The cluster's service ranges, comma-separated; "*" if it does not tell. */
  serviceCidr: string;
}
/** What is known of them, fact by fact. */
export type Surroundings = { [Fact in keyof SurroundingFacts]: SurroundingFacts[Fact] | Unavailable };

const UNREAD = { problem: "the cluster could not be asked" };
/** Where the cluster does not answer at all. */
export const NOT_ASKED: Surroundings = {
  pods: UNREAD,
  nodes: UNREAD,
  services: UNREAD,
  peerAuthentications: UNREAD,
  rootNamespaces: UNREAD,
  serviceCidr: UNREAD,
};

/** Whom a connection leads to. */
export type Party =
  | { kind: "self" }
  /** Envoy, that has taken a client in. */
  | { kind: "sidecar" }
  /** In the mesh: a pod with a sidecar, or a host of the stack that is joined. */
  | { kind: "member"; name: string }
  /** A host of the stack that is yet to join. */
  | { kind: "newHost"; name: string }
  | { kind: "pod"; name: string }
  /** A node, or a pod whose address is hidden behind the node's. */
  | { kind: "node"; name: string }
  | { kind: "service"; name: string }
  /** Neither the cluster nor the stack knows the address. */
  | { kind: "stranger" }
  /** It could not be asked who it is. */
  | { kind: "unknown" };

/** What becomes of what comes in from a client. */
export type Fate =
  | "past" // it never gets to the sidecar
  | "mutualTls"
  | "plain" // as now
  | "waits" // as now, but for a second if the server speaks first
  | "refused"
  | "refusedUnlessMember" // refused if it is what it seems to be; of a node, whose pods may have a sidecar
  | "unknown" // the policies could not be read
  | "already"; // it goes through a sidecar now

export interface Inbound extends Conversation {
  from: Party;
  fate: Fate;
  policy?: PeerPolicy;
}

export interface Outbound extends Conversation {
  to: Party;
}

/** What is the matter with a port that the sidecar takes, whoever its clients are. */
export type PortProblem = "nothingListens" | "loopbackOnly" | "published";

export interface TakenPort {
  /** A port; or a range of them, as containers publish it. */
  port: string;
  program?: string;
  problem?: PortProblem;
  clients: Inbound[];
}

export interface Impact {
  host: string;
  /** Whether it is joined. */
  joined: boolean;
  /** Whether a sidecar runs there, of whomever. */
  sidecarRuns: boolean;
  inboundPorts: HostConfig["inboundPorts"];
  /** The ranges to which what is sent goes through the sidecar, comma-separated, or "*". */
  outboundRanges: string | Unavailable;
  ports: TakenPort[];
  outbound: Outbound[];
}

/** What one sees of a host, and of what is around it. */
export interface Situation {
  config: Config;
  outputs?: Outputs;
  surroundings: Surroundings;
}

/** Envoy's sockets and the agent's are not those of the host's programs. */
const SIDECAR = ["envoy", "pilot-agent"];
/** Where Envoy takes what was redirected to it, and as whom it brings it to the program (listener_address.go). */
const INBOUND_CAPTURE = 15006;
const PASSTHROUGH = ["127.0.0.6", "::6"];

/** The ports of a list of the environment, as istio-iptables takes them. */
const portsIn = (text = "") => text.split(",").map(Number);
const withinAny = (address: string, ranges: string) =>
  ranges.split(",").some((range) => isWithin(address, range.trim()));

/** Who is at an address. */
function partyAt(address: string, own: Set<string>, { config, outputs, surroundings }: Situation): Party {
  if (isLoopback(address) || own.has(address)) return { kind: "self" };
  const host = config.hosts.find((one) => one.address === address && !one.gone);
  if (host) return { kind: outputs?.meshHosts[host.name] ? "member" : "newHost", name: `host ${host.name}` };
  const { pods, nodes, services } = surroundings;
  const at = <T extends { addresses: string[] }>(all: T[] | Unavailable) =>
    isUnavailable(all) ? undefined : all.find(({ addresses }) => addresses.includes(address));
  // A pod of the node's network has the node's address: it could be any of them.
  const pod = at(isUnavailable(pods) ? pods : pods.filter(({ hostNetwork }) => !hostNetwork));
  if (pod) return { kind: pod.sidecar ? "member" : "pod", name: `pod ${pod.name}` };
  const node = at(nodes);
  if (node) return { kind: "node", name: `node ${node.name}` };
  const service = at(services);
  if (service) return { kind: "service", name: `service ${service.name}` };
  return { kind: isUnavailable(pods) || isUnavailable(nodes) ? "unknown" : "stranger" };
}

/** What a sidecar takes at a port of a host. */
function policyAt(port: number, host: HostConfig, { surroundings }: Situation): PeerPolicy | undefined {
  const { peerAuthentications, rootNamespaces } = surroundings;
  if (isUnavailable(peerAuthentications) || isUnavailable(rootNamespaces)) return undefined;
  const workload = { namespace: host.namespace, labels: workloadLabels(host) };
  return peerPolicyAt(port, workload, peerAuthentications, rootNamespaces);
}

function fateOf(from: Party, port: number, policy: PeerPolicy | undefined, host: HostConfig, config: Config): Fate {
  if (from.kind === "self") return "past";
  if (policy === undefined) return "unknown";
  if (policy.mode === "DISABLE") return "plain";
  if (from.kind === "member") return "mutualTls";
  if (policy.mode === "STRICT")
    return from.kind === "node" || from.kind === "unknown" ? "refusedUnlessMember" : "refused";
  return mayServerSpeakFirst(host.name, port, config.services) ? "waits" : "plain";
}

/** The ports that the sidecar takes, as far as something listens there or they are named. */
function takenPorts(host: HostConfig, { sshPort, published }: Inspection, listeners: Listener[]): TakenPort[] {
  const { inboundPorts, ssh } = host;
  const excluded = [...OWN_PORTS, ssh.port, sshPort];
  const isPublished = (port: number) =>
    published.some((range) => {
      const [first = NaN, last = first] = range.split("-").map(Number);
      return first <= port && port <= last;
    });
  // At any address of the host but loopback, that is: from outside nobody reaches it there, now or then.
  const everything = listeners.filter(({ port, loopbackOnly }) => !loopbackOnly && !excluded.includes(port));
  const wanted = inboundPorts === "*" ? everything.map(({ port }) => port) : [...inboundPorts].sort((a, b) => a - b);
  const named = wanted.map((port): TakenPort => {
    const listener = listeners.find((one) => one.port === port);
    const problem: PortProblem | undefined = isPublished(port)
      ? "published"
      : listener === undefined
        ? "nothingListens"
        : listener.loopbackOnly
          ? "loopbackOnly"
          : undefined;
    return { port: String(port), program: listener?.program, problem, clients: [] };
  });
  // What an engine publishes without a process of its own has no listener.
  const others = inboundPorts === "*" ? published.filter((port) => !named.some((one) => one.port === port)) : [];
  return [...named, ...others.map((port): TakenPort => ({ port, problem: "published", clients: [] }))];
}

/** What goes through the sidecar of what the host sends. */
function outboundRanges({ capture, dns }: HostConfig, { config, surroundings }: Situation): string | Unavailable {
  if (capture !== "all") return "";
  const ranges = config.serviceCidr === "auto" ? surroundings.serviceCidr : config.serviceCidr;
  return isUnavailable(ranges) || !dns ? ranges : withAllocated(ranges);
}

/** Judges a host's connections. @param seen with its sockets */
export function impactOf(host: HostConfig, seen: Inspection, situation: Situation): Impact {
  const { config } = situation;
  const joined = seen.joined !== undefined;
  const sidecarRuns = seen.sockets.some(({ program }) => program === "pilot-agent");
  const isSidecars = (program = "") => sidecarRuns && SIDECAR.includes(program);
  const listeners = listenersIn(seen.sockets).filter(({ program }) => !isSidecars(program));
  const { inbound, outbound } = conversationsIn(seen.sockets);
  const own = new Set([host.address, ...ownAddresses(seen.sockets)]);

  const ports = takenPorts(host, seen, listeners);
  for (const taken of ports) {
    const port = Number(taken.port);
    const policy = policyAt(port, host, situation);
    taken.clients = inbound
      .filter((one) => one.port === port && !isSidecars(one.program))
      .map((client) => {
        if (PASSTHROUGH.includes(client.address)) return { ...client, from: { kind: "sidecar" }, fate: "already" };
        const from = partyAt(client.address, own, situation);
        if (taken.problem === "published") return { ...client, from, fate: "past" };
        return { ...client, from, fate: fateOf(from, port, policy, host, config), policy };
      });
  }
  // For which of the ports a client came that a sidecar has already, its socket does not tell.
  const captured = inbound
    .filter(({ port, program }) => port === INBOUND_CAPTURE && isSidecars(program))
    .map((client): Inbound => ({ ...client, from: partyAt(client.address, own, situation), fate: "already" }));
  if (captured.length > 0) ports.push({ port: String(INBOUND_CAPTURE), program: "envoy", clients: captured });

  const ranges = outboundRanges(host, situation);
  const { ISTIO_SERVICE_EXCLUDE_CIDR: exceptTo, ISTIO_LOCAL_OUTBOUND_PORTS_EXCLUDE: exceptPorts } = host.environment;
  const goesThrough = ({ address, port, program }: Conversation) =>
    !isSidecars(program) &&
    !isLoopback(address) &&
    !own.has(address) &&
    !portsIn(exceptPorts).includes(port) &&
    !(exceptTo !== undefined && withinAny(address, exceptTo)) &&
    !isUnavailable(ranges) &&
    ranges !== "" &&
    (ranges === "*" || withinAny(address, ranges));
  return {
    host: host.name,
    joined,
    sidecarRuns,
    inboundPorts: host.inboundPorts,
    outboundRanges: ranges,
    ports,
    outbound: outbound.filter(goesThrough).map((one) => ({ ...one, to: partyAt(one.address, own, situation) })),
  };
}
