/**
 * What of a host's traffic goes through its sidecar (`hosts[].capture`), and so which of its ports can be spoken to by mutual
 * TLS.
 */
import { DNS_VARIABLES } from "./dns";

/**
 * - `none`: nothing. The sidecar runs, with an identity and in sync with istiod, and no rule of iptables is made.
 * - `inbound`: what comes to the inbound ports.
 * - `all`: that, and what the host sends to the mesh's services.
 */
export const CAPTURES = ["none", "inbound", "all"] as const;
export type Capture = (typeof CAPTURES)[number];

/** TCP ports; `*` is all but those that are never intercepted. */
export type Ports = number[] | "*";

/**
 * Ports that interception never takes, even when inboundPorts is `*`: SSH, and the agent's and Envoy's own (as
 * `istioctl x workload entry configure` has it).
 */
export const OWN_PORTS: readonly number[] = [22, 15020, 15021, 15090];

/** Variables by which istio-iptables would take what `none` and `inbound` leave alone, or nothing at all. */
export const CAPTURING_VARIABLES: readonly string[] = [
  "ISTIO_CUSTOM_IP_TABLES",
  "ISTIO_OUTBOUND_PORTS",
  ...DNS_VARIABLES,
];

/** The inbound ports that are taken, of those that are listed. */
export const takenPorts = (capture: Capture, inboundPorts: Ports): Ports => (capture === "none" ? [] : inboundPorts);

/** Why what comes to a port is never taken; undefined if it can be. */
export function neverTaken(port: number, sshPort: number): string | undefined {
  if (port === sshPort) return "it is the host's SSH port, which is never intercepted";
  if (port === 22) return "it is SSH's own port, which is never intercepted";
  return port >= 15000 && port <= 15099 ? "ports 15000 to 15099 belong to the sidecar itself" : undefined;
}

/** Whether a sidecar that takes these ports takes this one. */
export const takes = (taken: Ports, port: number, sshPort: number) =>
  taken === "*" ? neverTaken(port, sshPort) === undefined : taken.includes(port);

/** The inbound ports that are taken in a state (hostState.ts), or in a text that has one. */
export function takenIn(state: string): Ports {
  const [, ports = ""] = /^cluster\.env ISTIO_INBOUND_PORTS=(.*)$/m.exec(state) ?? [];
  return ports === "*" ? ports : ports.split(",").filter(Boolean).map(Number);
}

/** Whether something that was taken will be no more. */
export const letsGo = (before: Ports, after: Ports) =>
  after !== "*" && (before === "*" || before.some((port) => !after.includes(port)));
