/** The TCP sockets of a host, as `ss -Htlnp` and `ss -Htnp` (iproute2) print them. */
import { canonicalAddress, isWithin } from "../mesh/addresses";

export interface Place {
  /** Without brackets and zone, IPv4 as such; "*" for any address. */
  address: string;
  /** Undefined for any. */
  port?: number;
}

export interface Socket {
  /** Whether it waits for clients; else it is a connection that is open now. */
  listening: boolean;
  local: Place;
  peer: Place;
  /** The name of the program that has it; undefined for one of the kernel's. */
  program?: string;
}

/** Whoever names a program may put anything into it, also what a terminal would obey. */
const printable = (text: string) => text.replace(/[^\x20-\x7e]/g, "?");

const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;
const ANY = ["*", "0.0.0.0", "::"];

/** `127.0.0.53%lo:53`, `[::ffff:192.0.2.1]:80`, `[fe80::1]%eth0:22`, `*:*`. */
function parsePlace(text: string): Place {
  const colon = text.lastIndexOf(":");
  const [written = ""] = text.slice(0, colon).replace(/[[\]]/g, "").split("%");
  const address = MAPPED.exec(written)?.[1] ?? canonicalAddress(written);
  const port = Number(text.slice(colon + 1));
  return { address: ANY.includes(address) ? "*" : address, port: Number.isInteger(port) ? port : undefined };
}

/** A line of `ss`; undefined for what neither listens nor is connected both ways. */
export function parseSocket(line: string): Socket | undefined {
  const [, state, local = "", peer = "", rest = ""] = /^(\S+) +\d+ +\d+ +(\S+:\S+) +(\S+:\S+)(.*)$/s.exec(line) ?? [];
  if (state !== "LISTEN" && state !== "ESTAB") return undefined;
  const program = /\("(.*?)",pid=\d+,fd=\d+\)/s.exec(rest)?.[1];
  return {
    listening: state === "LISTEN",
    local: parsePlace(local),
    peer: parsePlace(peer),
    program: program === undefined ? undefined : printable(program),
  };
}

export const isLoopback = (address: string) => isWithin(address, "127.0.0.0/8") || address === "::1";

/** What listens at a port. */
export interface Listener {
  port: number;
  program?: string;
  /** Whether nobody but the host itself reaches it. */
  loopbackOnly: boolean;
}

/** Each port at which something listens, in order; a program may do so at several addresses. */
export function listenersIn(sockets: Socket[]): Listener[] {
  const listening = sockets.filter((socket) => socket.listening);
  const ports = [...new Set(listening.flatMap(({ local }) => local.port ?? []))].sort((a, b) => a - b);
  return ports.map((port) => {
    const own = listening.filter(({ local }) => local.port === port);
    const programs = [...new Set(own.flatMap(({ program }) => program ?? []))];
    return {
      port,
      program: programs.length === 0 ? undefined : programs.join(", "),
      loopbackOnly: own.every(({ local }) => isLoopback(local.address)),
    };
  });
}

/** Connections of one kind. */
export interface Conversation {
  /** The client's address, or the server's. */
  address: string;
  /** The server's port: one of the host's own, of what comes in. */
  port: number;
  program?: string;
  /** How many connections there are just now. */
  count: number;
}

function counted(all: Omit<Conversation, "count">[]): Conversation[] {
  const groups = new Map<string, Conversation>();
  for (const one of all) {
    const key = JSON.stringify(one);
    groups.set(key, { ...one, count: (groups.get(key)?.count ?? 0) + 1 });
  }
  return [...groups.values()].sort((a, b) => a.port - b.port || (a.address < b.address ? -1 : 1));
}

/**
 * Who is connected to the host now, and whom it is connected to itself. A connection has come in if something listens at
 * the port that it has here.
 */
export function conversationsIn(sockets: Socket[]): { inbound: Conversation[]; outbound: Conversation[] } {
  const served = new Set(listenersIn(sockets).map(({ port }) => port));
  const open = sockets.filter((socket) => !socket.listening);
  const inbound = open.filter(({ local }) => served.has(local.port!));
  const outbound = open.filter(({ local }) => !served.has(local.port!));
  return {
    inbound: counted(
      inbound.map(({ local, peer, program }) => ({ address: peer.address, port: local.port!, program })),
    ),
    outbound: counted(outbound.map(({ peer, program }) => ({ address: peer.address, port: peer.port!, program }))),
  };
}

/** The addresses that the host has, as far as its connections tell. */
export const ownAddresses = (sockets: Socket[]) => new Set(sockets.map(({ local }) => local.address));
