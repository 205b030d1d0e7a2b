import { ISTIOD_PORT } from "./environment";

/** The ingress gateway: its Service, and its pods by their label `istio`. */
export const INGRESS_GATEWAY = { service: "istio-ingressgateway", selector: "ingressgateway" };

/** How hosts reach istiod, as it is asked for. `Address` is a text, or what will be one. */
export type ExposureArgs<Address = string> =
  | {
      /** istiod's and the gateway's Services become NodePorts. */
      type: "NodePort";
      /** The address of a node, as seen from the hosts. */
      nodeAddress: Address;
    }
  | {
      /** The ingress gateway's load balancer carries istiod's port. */
      type: "LoadBalancer";
    };

/** Where a host finds istiod: at the node port of a Service, or at the address that a Service was given. */
export type IstiodPlace<Address> =
  { by: "nodePort"; service: string; nodeAddress: Address } | { by: "loadBalancer"; service: string; port: number };

/** A port of istiod that a gateway passes on, without ending its TLS. */
export interface PassedPort {
  name: string;
  /** On the gateway. */
  gateway: number;
  /** On the Service istiod. */
  istiod: number;
}

/** What a way of exposing istiod takes. */
export interface Exposure<Address = string> {
  /** The Services of istio-system whose type is set, and to what. */
  serviceTypes: Record<string, "ClusterIP" | "NodePort" | "LoadBalancer">;
  /** What the ingress gateway passes on to istiod; where hosts need none of it, nothing. */
  passed: PassedPort[];
  istiod: IstiodPlace<Address>;
}

/** istiod's ports for what is outside of the cluster: for proxies, and its webhooks, which its Service has as 443. */
const ISTIOD_PORTS: PassedPort[] = [
  { name: "tls-istiod", gateway: ISTIOD_PORT, istiod: ISTIOD_PORT },
  { name: "tls-webhook", gateway: 15017, istiod: 443 },
];

/**
 * What the wanted exposure takes: all that anybody needs to know of it.
 *
 * @param gateway whether there is an ingress gateway
 */
export function exposureOf<Address>(args: ExposureArgs<Address>, gateway = true): Exposure<Address> {
  const { service } = INGRESS_GATEWAY;
  switch (args.type) {
    case "NodePort":
      return {
        serviceTypes: { istiod: "NodePort", ...(gateway ? { [service]: "NodePort" as const } : {}) },
        passed: [],
        istiod: { by: "nodePort", service: "istiod", nodeAddress: args.nodeAddress },
      };
    case "LoadBalancer":
      return {
        serviceTypes: { istiod: "ClusterIP", [service]: "LoadBalancer" },
        passed: ISTIOD_PORTS,
        istiod: { by: "loadBalancer", service, port: ISTIOD_PORT },
      };
  }
}
