import { readCertificate } from "./checks/authority";
import { renewalProblem, returnsUntil } from "./checks/identities";
import { timeLeft } from "./checks/duration";
import { offsetResult, offsetText } from "./checks/clock";
import { type HostFacts, isOurs, isUnavailable, type Outputs, type RequestResult, type Unavailable } from "./facts";
import type { Config } from "../config";
import type { EndedIdentity } from "../mesh/endedIdentity";

export type Health = "ok" | "warning" | "error";

/** A host as `istio-vm status` tells of it. What is not known is undefined. */
export interface HostStatus {
  name: string;
  health: Health;
  /** The version of the sidecar's package. */
  sidecar?: string;
  /** Whether it has istiod's configuration now; if not, since when it has the one that it has. */
  inSync?: boolean;
  since?: Date;
  /** The SPIFFE ID in its certificate, and when that ends. */
  identity?: string;
  certificateEnds?: Date;
  /** Until when it comes back by itself, if it is off. */
  returnsUntil?: Date;
  /** Its clock less this machine's, seconds. */
  clockOffset?: number;
  /** What goes through the sidecar. */
  captured?: string;
  ready: boolean;
  drift: string[];
  /** Whether its services send it nothing, as was wished for. */
  drained: boolean;
  /** When join changed it last. */
  changed?: Date;
  /** Why nothing more is known, or what is wrong. */
  problem?: string;
}

export interface ServiceStatus {
  /** name.namespace */
  name: string;
  /** Hosts that serve it, and how many of them are healthy. */
  endpoints: string[];
  healthy: number;
  /** A request by the sample client, just now; undefined without one. */
  request?: RequestResult;
  health: Health;
}

/** Of hosts that are probed and can't serve, by their names: why. */
export type Sickness = Map<string, string>;

export interface MeshStatus {
  hosts: HostStatus[];
  services: ServiceStatus[];
  /** Identities of hosts that are gone or have left, which the mesh refuses, and whose keys are still good. */
  ended: (EndedIdentity & { since: Date })[] | Unavailable;
}

function hostStatus(
  host: HostFacts,
  { config, owner }: { config: Config; owner?: string },
  sick: Sickness | Unavailable,
  now: Date,
): HostStatus {
  const { name } = host;
  const wanted = config.hosts.find((one) => one.name === name);
  const drained = wanted?.drain ?? false;
  const sickness = isUnavailable(sick)
    ? wanted?.readinessProbe && `whether it can serve could not be read: ${sick.problem}`
    : sick.has(name)
      ? `its readinessProbe fails: ${sick.get(name)}`
      : undefined;
  if ("failure" in host) {
    const health = host.failure.kind === "gone" ? "warning" : "error";
    return { name, health, ready: false, drift: [], drained, problem: host.failure.message };
  }
  const { joined, sidecar } = host.inspection;
  const { clockOffset } = host;
  if (joined === undefined || !isOurs(joined, { owner })) {
    const problem = joined === undefined ? "not joined" : "joined by another stack";
    return { name, health: "error", sidecar, clockOffset, ready: false, drift: [], drained, problem };
  }
  const { connected, configured, certChain, captured, ready, drift, changed, unfinished } = joined;
  const certificate = certChain === undefined ? undefined : readCertificate(certChain);
  const ended = certificate !== undefined && certificate.notAfter < now;
  const renewal = renewalProblem(config, name, joined, now);
  const clock = offsetResult(clockOffset);
  const unwell = !ready || !connected || ended || clock === "error" || (!isUnavailable(sick) && sick.has(name));
  const doubtful =
    drift.length > 0 || unfinished || clock === "warning" || renewal !== undefined || sickness !== undefined;
  return {
    name,
    health: unwell ? "error" : doubtful ? "warning" : "ok",
    sidecar,
    inSync: connected,
    since: connected ? undefined : configured,
    identity: certificate?.uris[0],
    certificateEnds: certificate?.notAfter,
    returnsUntil: returnsUntil(config, name, joined),
    clockOffset,
    captured,
    ready,
    drift,
    drained,
    changed,
    problem: unfinished
      ? "a join was cut off: pulumi up finishes it"
      : (sickness ?? renewal ?? (drained ? "drained: its services send it nothing" : undefined)),
  };
}

/** What runs now, of everything that the stack has joined. */
export function meshStatus(
  stack: { config: Config; owner?: string; outputs?: Outputs },
  facts: HostFacts[],
  requests: Record<string, RequestResult> | undefined,
  now: Date,
  { ended = [], sick = new Map() }: { ended?: MeshStatus["ended"]; sick?: Sickness | Unavailable } = {},
): MeshStatus {
  const { config, outputs } = stack;
  const hosts = facts.map((host) => hostStatus(host, stack, sick, now));
  const services = config.services.map(({ name, namespace, hosts: serving }): ServiceStatus => {
    const key = `${name}.${namespace}`;
    const endpoints = serving.filter((name) => {
      const host = config.hosts.find((candidate) => candidate.name === name);
      return host !== undefined && !host.gone && !host.drain;
    });
    const serves = (name: string) =>
      hosts.find((status) => status.name === name)?.ready && (isUnavailable(sick) || !sick.has(name));
    const healthy = endpoints.filter(serves).length;
    const request = outputs === undefined ? undefined : requests?.[key];
    const refused = request?.ok === false && !request.untried;
    const doubtful = healthy < endpoints.length || request?.untried;
    const health = healthy === 0 || refused ? "error" : doubtful ? "warning" : "ok";
    return { name: key, endpoints, healthy, request, health };
  });
  return { hosts, services, ended };
}

const ago = (date: Date, now: Date) => {
  const seconds = Math.max(0, Math.round((now.getTime() - date.getTime()) / 1000));
  for (const [unit, size] of [
    ["d", 86400],
    ["h", 3600],
    ["min", 60],
  ] as const) {
    if (seconds >= 2 * size) return `${Math.floor(seconds / size)} ${unit} ago`;
  }
  return `${seconds} s ago`;
};

/** A status as rows of text: one a host, one a service. */
export function statusRows({ hosts, services, ended }: MeshStatus, now: Date) {
  return {
    ended: isUnavailable(ended)
      ? [["?", "-", "-", `could not be read: ${ended.problem}`]]
      : ended.map(({ host, identity, since }) => [
          host,
          identity.replace(/^spiffe:\/\//, ""),
          ago(since, now),
          "refused by the mesh; but istiod renews it for whoever has its key, until the root is replaced",
        ]),
    hosts: hosts.map((host) => [
      host.name,
      host.sidecar ?? "-",
      host.inSync === undefined ? "-" : host.inSync ? "yes" : host.since ? `no, since ${ago(host.since, now)}` : "no",
      host.identity?.replace(/^spiffe:\/\//, "") ?? "-",
      host.certificateEnds === undefined ? "-" : timeLeft(host.certificateEnds, now),
      host.returnsUntil === undefined ? "-" : timeLeft(host.returnsUntil, now).replace(/ left$/, ""),
      host.clockOffset === undefined ? "-" : offsetText(host.clockOffset),
      host.captured ?? "-",
      host.ready ? "yes" : "no",
      host.drift.length === 0 ? "none" : host.drift.join(", "),
      host.changed === undefined ? "-" : ago(host.changed, now),
      host.problem ?? "",
    ]),
    services: services.map(({ name, endpoints, healthy, request }) => [
      name,
      endpoints.join(", "),
      `${healthy} of ${endpoints.length}`,
      request === undefined
        ? "-"
        : `${request.answer}${request.milliseconds === undefined ? "" : ` in ${request.milliseconds} ms`}`,
    ]),
  };
}

export const HOST_HEADINGS = [
  "HOST",
  "SIDECAR",
  "IN SYNC",
  "IDENTITY",
  "CERTIFICATE",
  "BACK WITHIN",
  "CLOCK",
  "CAPTURED",
  "READY",
  "DRIFT",
  "CHANGED",
  "",
];
export const ENDED_HEADINGS = ["ENDED", "IDENTITY", "SINCE", ""];
export const SERVICE_HEADINGS = ["SERVICE", "ENDPOINTS", "HEALTHY", "REQUEST"];
