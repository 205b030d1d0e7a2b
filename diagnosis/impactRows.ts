/** The impact of a join as text. */
import { DETECTION_TIMEOUT } from "../mesh/protocolDetection";
import { isUnavailable } from "./facts";
import type { Impact, Inbound, Outbound, Party, PortProblem, Surroundings, TakenPort } from "./impact";
import type { PeerPolicy } from "./peerAuthentication";
import type { Health } from "./status";

export const INBOUND_HEADINGS = ["COMES IN TO", "PROGRAM", "FROM", "WHO", "CONNECTIONS", "IN THE MESH"];
export const OUTBOUND_HEADINGS = ["GOES OUT TO", "PROGRAM", "WHO", "CONNECTIONS"];

export interface Row {
  health: Health;
  cells: string[];
}

/** Clients of which the same is said are told one by one up to so many. */
const MOST = 10;

/** @param stranger what one is called whom nobody knows */
function partyText(party: Party, stranger = "outside the mesh"): string {
  switch (party.kind) {
    case "self":
      return "this host itself";
    case "sidecar":
      return "clients of the sidecar";
    case "member":
      return `${party.name}, in the mesh`;
    case "newHost":
      return `${party.name}, not joined yet`;
    case "pod":
      return `${party.name}, without a sidecar`;
    case "node":
      return `${party.name}, or a pod behind it`;
    case "service":
      return party.name;
    case "stranger":
      return stranger;
    case "unknown":
      return "not known";
  }
}

/** What a sidecar takes, and who says so. */
export const policyText = ({ mode, by }: PeerPolicy) => (by === undefined ? `${mode} by default` : `${by} is ${mode}`);

function fateText({ fate, policy }: Pick<Inbound, "fate" | "policy">): string {
  const mode = policy === undefined ? "" : policyText(policy);
  switch (fate) {
    case "past":
      return "as now, past the sidecar";
    case "mutualTls":
      // What goes to an address that is no service's, a sidecar passes on as it is.
      return policy?.mode === "STRICT"
        ? `mutual TLS by the service's name, refused by the address: ${mode}`
        : `mutual TLS by the service's name, plain text by the address: ${mode}`;
    case "plain":
      return `as now, in plain text: ${mode}`;
    case "waits":
      return `as now, ${DETECTION_TIMEOUT} later if the server speaks first: ${mode}`;
    case "refused":
      return `refused: ${mode}`;
    case "refusedUnlessMember":
      return `refused, unless it is in the mesh: ${mode}`;
    case "unknown":
      return "not known";
    case "already":
      return "through the sidecar already";
  }
}

/** Whether a client goes on as it is. */
const isFine = ({ fate, policy }: Inbound) =>
  fate === "mutualTls" ? policy?.mode !== "STRICT" : ["past", "plain", "already"].includes(fate);

const PROBLEMS: Record<PortProblem, string> = {
  nothingListens: "nothing listens here: who comes is accepted, and then cut off",
  loopbackOnly: "it listens at loopback alone: who comes is accepted, and then cut off",
  published: "a container's: sent on to it before the sidecar sees it (IVM740)",
};

/** Those with the most connections, and how many there are besides. */
function addressesOf(clients: Inbound[]): { address: string; count: number }[] {
  const byCount = [...clients].sort((a, b) => b.count - a.count);
  const [shown, others] = [byCount.slice(0, MOST), byCount.slice(MOST)];
  const rest = others.reduce((sum, { count }) => sum + count, 0);
  return [...shown, ...(others.length === 0 ? [] : [{ address: `${others.length} more addresses`, count: rest }])];
}

function portRows({ port, program = "-", problem, clients }: TakenPort): Row[] {
  const own: Row[] = problem
    ? [{ health: "warning", cells: [port, program, "-", "-", "-", PROBLEMS[problem]] }]
    : clients.length === 0
      ? [{ health: "ok", cells: [port, program, "nobody now", "-", "0", "through the sidecar"] }]
      : [];
  const keyOf = (client: Inbound) => [partyText(client.from), fateText(client), client.program ?? "-"];
  const groups = new Map<string, Inbound[]>();
  for (const client of clients) {
    const key = JSON.stringify(keyOf(client));
    groups.set(key, [...(groups.get(key) ?? []), client]);
  }
  const rows = [...groups.values()].flatMap((group) => {
    const [who, fate, by] = keyOf(group[0]!) as [string, string, string];
    return addressesOf(group).map(({ address, count }): Row => {
      const health = isFine(group[0]!) ? "ok" : "warning";
      return { health, cells: [port, by, address, who, String(count), fate] };
    });
  });
  return [...own, ...rows];
}

const outboundRow = ({ address, port, program = "-", to, count }: Outbound): Row => ({
  health: "ok",
  cells: [
    `${address.includes(":") ? `[${address}]` : address}:${port}`,
    program,
    partyText(to, "unknown to the cluster"),
    String(count),
  ],
});

function takes({ inboundPorts, outboundRanges }: Impact): string {
  const comesIn =
    inboundPorts === "*"
      ? "what comes in to any port but SSH's and its own"
      : inboundPorts.length === 0
        ? "nothing that comes in"
        : `what comes in to port ${inboundPorts.join(", ")}`;
  const goesOut = isUnavailable(outboundRanges)
    ? "of what goes out it is not known"
    : outboundRanges === "*"
      ? "whatever goes out"
      : outboundRanges === ""
        ? "nothing that goes out"
        : `what goes out to ${outboundRanges}`;
  return `${comesIn}, and ${goesOut}`;
}

function headline(impact: Impact): string {
  const { host, joined, sidecarRuns } = impact;
  if (joined) return `${host} is joined: its sidecar takes ${takes(impact)}.`;
  const another = sidecarRuns ? ", but a sidecar runs there already" : "";
  return `${host} is not joined${another}. Its sidecar would take ${takes(impact)}.`;
}

const SEEN_TWICE =
  "What goes through a sidecar is seen twice: from the client to Envoy, at 15006, whatever the port was, and from 127.0.0.6 to the program.";

/** The impact on one host: a sentence, rows of what comes in and what goes out, and sentences below them. */
export function impactRows(impact: Impact) {
  return {
    headline: headline(impact),
    inbound: impact.ports.flatMap(portRows),
    outbound: impact.outbound.map(outboundRow),
    notes: impact.sidecarRuns ? [SEEN_TWICE] : [],
  };
}

const MATTERS: Record<keyof Surroundings, string> = {
  pods: "which clients are pods of the mesh",
  nodes: "which clients are nodes",
  services: "which services are called",
  peerAuthentications: "whom a policy would refuse",
  rootNamespaces: "whom a policy of the whole mesh would refuse",
  serviceCidr: "what goes out through the sidecar",
};

/** What could not be read of the cluster, and what is not known for that. */
export const unknownOf = (surroundings: Surroundings): string[] =>
  (Object.keys(MATTERS) as (keyof Surroundings)[]).flatMap((fact) => {
    const found = surroundings[fact];
    return isUnavailable(found) ? [`not known: ${MATTERS[fact]}: ${found.problem}`] : [];
  });
