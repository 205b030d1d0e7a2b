/** What a join would change for whoever talks to a host now, in short: `istio-vm impact` tells all of it. */
import { isUnavailable } from "../facts";
import { type Fate, type Impact, impactOf, type Inbound, NOT_ASKED, type Surroundings } from "../impact";
import { policyText } from "../impactRows";
import { type Check, hostConfig, ofHosts, ok, skipped, type Verdict, warning } from "./check";

const NEEDED = ["pods", "peerAuthentications", "rootNamespaces"] as const;

/** A check of each host that is yet to join, by its connections just now. */
function ofNewHosts(judge: (impact: Impact, surroundings: Surroundings) => Verdict[]): Check["evaluate"] {
  return ofHosts(({ name, inspection }, { config, outputs, surroundings = NOT_ASKED }) => {
    const { joined, socketsProblem } = inspection;
    if (joined !== undefined) return skipped(`${name} is joined already`);
    if (socketsProblem !== undefined) return skipped(`${name}: its sockets can't be read: ${socketsProblem}`);
    return judge(impactOf(hostConfig(config, name), inspection, { config, outputs, surroundings }), surroundings);
  });
}

/** A check of the clients to whom this is to happen. @param what is said of them, and what to do */
function ofClients(fates: Fate[], what: (client: Inbound) => string, fix: (port: string) => string): Check["evaluate"] {
  return ofNewHosts(({ host, ports }, surroundings) => {
    const unread = NEEDED.map((fact) => surroundings[fact]).find(isUnavailable);
    if (unread) return skipped(`${host}: which clients are outside the mesh is not known: ${unread.problem}`);
    const found = ports.flatMap(({ port, clients }) => {
      const meant = clients.filter(({ fate }) => fates.includes(fate));
      if (meant.length === 0) return [];
      const amount = new Set(meant.map(({ address }) => address)).size;
      const sure = meant.every(({ from }) => from.kind !== "node" && from.kind !== "unknown");
      const who = `${amount} client${amount === 1 ? "" : "s"} outside the mesh${sure ? "" : ", or behind a node,"}`;
      return warning(
        `${host}: port ${port} is used by ${who} now, ${what(meant[0]!)}`,
        `npx istio-vm impact ${host}; ${fix(port)}`,
      );
    });
    return found.length === 0 ? ok() : found;
  });
}

export const traffic: Check[] = [
  {
    code: "IVM745",
    title: "who uses a host now is let in when it has joined",
    why: "Where a PeerAuthentication says STRICT, a sidecar takes nothing but mutual TLS. A client without a sidecar that is connected to an inbound port today is refused from the moment of the join.",
    fix: "npx istio-vm impact HOST; give those clients a sidecar, or let a PeerAuthentication say PERMISSIVE for that port of the host until they have one",
    evaluate: ofClients(
      ["refused", "refusedUnlessMember"],
      ({ policy }) => `which would be refused: ${policyText(policy!)}`,
      (port) => `give them a sidecar, or let a PeerAuthentication say PERMISSIVE for port ${port} until they have one`,
    ),
  },
  {
    code: "IVM746",
    title: "no client waits longer when the host has joined",
    why: "Where plain text is taken beside mutual TLS and the server may speak first, as MySQL does, a client without a sidecar waits a second until the sidecar takes it for what it is (README, Protocols). It may: at a port of TCP, or of no service, nobody has said that clients speak first.",
    fix: "npx istio-vm impact HOST; if clients speak first there, say the protocol of the port in services; if nobody in the mesh uses it, a PeerAuthentication with DISABLE for that port",
    evaluate: ofClients(
      ["waits"],
      () => "which would wait a second each time if the server speaks first there",
      (port) =>
        `if clients speak first at port ${port}, say its protocol in services; if nobody in the mesh uses it, a PeerAuthentication with DISABLE for it`,
    ),
  },
  {
    code: "IVM747",
    title: "what listens at an inbound port does so where the sidecar brings what comes in",
    why: "The sidecar accepts clients at every inbound port, and brings what they say to the host's own address, not to loopback, unless a Sidecar says otherwise (defaultEndpoint). Where a program listens at loopback alone, clients are no longer refused but accepted and cut off.",
    fix: "let the program listen at the host's address, or take the port off inboundPorts",
    evaluate: ofNewHosts(({ host, ports }) => {
      const hidden = ports.filter(({ problem }) => problem === "loopbackOnly");
      if (hidden.length === 0) return ok();
      return hidden.flatMap(({ port, program = "something" }) =>
        warning(`${host}: ${program} listens at inbound port ${port} of loopback alone`),
      );
    }),
  },
];
