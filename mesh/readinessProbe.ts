/**
 * How a sidecar finds out whether its host can serve, in Istio's own terms (networking.istio.io/v1 WorkloadGroup,
 * ReadinessProbe; the agent has it from ProxyConfig). It asks the application itself, by 127.0.0.1, past Envoy.
 */

/** One of httpGet, tcpSocket and exec. Times in seconds. */
export interface ReadinessProbe {
  httpGet?: { path: string; port: number; scheme: "HTTP" | "HTTPS"; httpHeaders: { name: string; value: string }[] };
  tcpSocket?: { port: number };
  /** Run on the host as the user istio-proxy; its exit status is the answer. */
  exec?: { command: string[] };
  initialDelaySeconds: number;
  periodSeconds: number;
  timeoutSeconds: number;
  successThreshold: number;
  failureThreshold: number;
}

/** The variables of a host that has one: which entry it speaks for, and the probe, as YAML of one line. */
export function probeVariables(workloadEntry: string, probe: ReadinessProbe): Record<string, string> {
  return {
    ISTIO_META_WORKLOAD_ENTRY: workloadEntry,
    PROXY_CONFIG: `readinessProbe: ${JSON.stringify(probe)}`,
  };
}

/** The variables that are its own. */
export const PROBE_VARIABLES: readonly string[] = ["ISTIO_META_WORKLOAD_ENTRY", "PROXY_CONFIG"];
