/**
 * A way into another network than the cluster's: one of its hosts that runs the sidecar's agent and Envoy as a gateway
 * (`pilot-agent proxy router`), which passes mutual TLS on to hosts of its network without ending it.
 *
 * Whoever is in another network is sent there by istiod, which learns of it from a Service with that network's label and
 * external addresses (pilot/pkg/serviceregistry/kube/controller/network.go). The Service is headless, for kube-proxy would
 * take what goes to external addresses of any other.
 */
import { CROSS_NETWORK_PORT } from "./exposure";

export const networkLabel = (network: string) => ({ "topology.istio.io/network": network });

/** The variables by which a host is one: it passes on to its own network alone. */
export const gatewayVariables = (network: string): Record<string, string> => ({
  ISTIO_AGENT_FLAGS: "router",
  ISTIO_META_REQUESTED_NETWORK_VIEW: network,
});

/** Those that a gateway sees to. */
export const GATEWAY_VARIABLES: readonly string[] = Object.keys(gatewayVariables(""));

/** The spec of the Service by which istiod knows its address. */
export const gatewayServiceSpec = (address: string) => ({
  clusterIP: "None",
  externalIPs: [address],
  ports: [{ ...CROSS_NETWORK_PORT, targetPort: CROSS_NETWORK_PORT.port, protocol: "TCP" }],
});

/** The spec of the Gateway (networking.istio.io/v1) of a network: of these proxies, for all services of the mesh. */
export const crossNetworkSpec = (selector: Record<string, string>, clusterDomain: string) => ({
  selector,
  servers: [
    {
      port: { name: CROSS_NETWORK_PORT.name, number: CROSS_NETWORK_PORT.port, protocol: "TLS" },
      tls: { mode: "AUTO_PASSTHROUGH" },
      hosts: [`*.${clusterDomain}`],
    },
  ],
});
