import { ISTIOD_PORT } from "./istiod";

/** The ingress gateway of an Istio that is installed here: its Service, and its pods by their label `istio`. */
export const INGRESS_GATEWAY = { service: "istio-ingressgateway", selector: "ingressgateway" };

/** The Service of our own beside that of an istiod. */
export const ownServiceOf = (istiod: string) => `${istiod}-vm`;

/** The gateway of our own: the name of what belongs to it, and the label of its pods. */
export const EAST_WEST_GATEWAY = { service: "istio-vm-gateway", selector: { istio: "vm-gateway" } };

/** Where services of the mesh are reached from other networks (samples/multicluster/expose-services.yaml). */
export const CROSS_NETWORK_PORT = { name: "tls", port: 15443 };

/** A gateway that passes istiod's ports on: ours, or one that is there already. */
export interface ExposedGateway {
  /** Its Service, and how that calls istiod's port, or shall. */
  service: string;
  namespace: string;
  portName?: string;
  /** The labels of its pods. */
  selector: Record<string, string>;
  /** Whether a Service of others has istiod's port just now. */
  carriesIstiod?: boolean;
}

/** How hosts reach istiod, as it is asked for. `Address` is a text, or what will be one. */
export type ExposureArgs<Address = string> =
  | {
      type: "NodePort";
      /** Addresses of nodes, as seen from the hosts. */
      nodeAddresses: Address[];
    }
  | {
      /** The ingress gateway's load balancer carries istiod's port. */
      type: "LoadBalancer";
    }
  | {
      /** A gateway of our own, for istiod's port alone. */
      type: "EastWestGateway";
      /** With these its Service is a NodePort. Default: a load balancer. */
      nodeAddresses?: Address[];
    }
  | {
      /** Somebody else made a way to it. */
      type: "Address";
      address: Address;
      port: number;
    };

/** Where a host finds istiod: at the node port of a Service, at the address that a Service was given, or as it is told. */
export type IstiodPlace<Address> =
  | { by: "nodePort"; nodeAddresses: Address[] }
  | { by: "loadBalancer"; port: number }
  | { by: "address"; address: Address; port: number };

/** Whose Service it is at which hosts find istiod. */
export type Through =
  /** istiod's own, of an Istio that is installed here. */
  | "istiod"
  /** One of our own beside istiod's. */
  | "ownService"
  | "ingressGateway"
  | "ownGateway"
  | "none";

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
  through: Through;
  /** The Services of an Istio that is installed here whose type is set, and to what. */
  serviceTypes: Record<string, "ClusterIP" | "NodePort" | "LoadBalancer">;
  /** What a gateway passes on to istiod; where hosts need none of it, nothing. */
  passed: PassedPort[];
  istiod: IstiodPlace<Address>;
}

const PROXIES: PassedPort = { name: "tls-istiod", gateway: ISTIOD_PORT, istiod: ISTIOD_PORT };
/** istiod's webhooks, which its Service has as 443: of use to other clusters, not to hosts. */
const WEBHOOKS: PassedPort = { name: "tls-webhook", gateway: 15017, istiod: 443 };

/** What the ingress gateway passes on: nothing, where hosts do not go through it. */
export const ingressPorts = ({ through, passed }: Exposure) => (through === "ingressGateway" ? passed : []);

/** Whose Istio it is. */
export interface ExposedControlPlane {
  /** Whether the stack installs it. */
  installed: boolean;
  /** Whether what is installed has an ingress gateway. Default: true. */
  gateway?: boolean;
}

/** What the wanted exposure takes: all that anybody needs to know of it. */
export function exposureOf<Address>(
  args: ExposureArgs<Address>,
  { installed, gateway = true }: ExposedControlPlane,
): Exposure<Address> {
  const { service } = INGRESS_GATEWAY;
  switch (args.type) {
    case "NodePort":
      return {
        through: installed ? "istiod" : "ownService",
        serviceTypes: installed ? { istiod: "NodePort", ...(gateway ? { [service]: "NodePort" } : {}) } : {},
        passed: [],
        istiod: { by: "nodePort", nodeAddresses: args.nodeAddresses },
      };
    case "LoadBalancer":
      return {
        through: "ingressGateway",
        serviceTypes: installed ? { istiod: "ClusterIP", [service]: "LoadBalancer" } : {},
        passed: installed ? [PROXIES, WEBHOOKS] : [PROXIES],
        istiod: { by: "loadBalancer", port: ISTIOD_PORT },
      };
    case "EastWestGateway":
      return {
        through: "ownGateway",
        serviceTypes: {},
        passed: [PROXIES],
        istiod:
          args.nodeAddresses === undefined
            ? { by: "loadBalancer", port: ISTIOD_PORT }
            : { by: "nodePort", nodeAddresses: args.nodeAddresses },
      };
    case "Address":
      return {
        through: "none",
        serviceTypes: {},
        passed: [],
        istiod: { by: "address", address: args.address, port: args.port },
      };
  }
}

/**
 * What keeps hosts of other networks from services of the mesh through a gateway of our own, a line each. Of a NodePort
 * istiod tells them only where it says which nodes are meant, and those must have external addresses
 * (pilot/pkg/serviceregistry/kube/controller: getNodePortGatewayServices).
 */
export function crossingProblems(
  hosts: { name: string; network?: string }[],
  network: string | undefined,
  { nodeAddresses }: { nodeAddresses?: unknown[] } = {},
): string[] {
  return hosts.flatMap(({ name, network: own }) => [
    ...(network === undefined
      ? [
          `${name} is in network "${own}", and that of the cluster has no name: give istiod's namespace the label topology.istio.io/network`,
        ]
      : []),
    ...(nodeAddresses === undefined
      ? []
      : [`${name} is in network "${own}": Istio leads it to a load balancer only: leave exposure.nodeAddresses out`]),
  ]);
}
