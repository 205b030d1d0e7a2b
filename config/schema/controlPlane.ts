/** Whose Istio it is, and how hosts reach it. */
import { z } from "zod";
import { address, dnsLabel, dnsName, is, map, namespace, path, port } from "./values";

/** Of a node, as seen from the hosts. */
const nodeAddresses = z
  .array(address, { error: "a list of IP addresses" })
  .min(1, "the address of a node at least")
  .refine((list) => new Set(list).size === list.length, "addresses that differ");
const NODE_PORT = "{type: NodePort, nodeAddresses: [ADDRESS]}";
const EXPOSURES = `${NODE_PORT}, {type: LoadBalancer}, {type: EastWestGateway} or {type: Address, address: NAME, port: PORT}`;

export const exposure = z.discriminatedUnion(
  "type",
  [
    map({
      /**
       * Of a control plane that is installed: istiod's and the gateway's Services become NodePorts. Of an existing one: a
       * Service of our own has a node port for 15012 alone.
       */
      type: z.literal("NodePort"),
      nodeAddresses,
    }),
    map({
      /** The ingress gateway's load balancer carries istiod's port. */
      type: z.literal("LoadBalancer"),
      /** The gateway's Service in an existing mesh. Default: istio-ingressgateway in istio-system. */
      gateway: map({
        service: dnsLabel.default("istio-ingressgateway"),
        namespace: dnsLabel.default("istio-system"),
      }).prefault({}),
    }),
    map({
      /** A gateway of our own, through which hosts reach istiod and nothing else. */
      type: z.literal("EastWestGateway"),
      /** Its namespace. Default: istio-vm. */
      namespace: namespace.default("istio-vm"),
      /** With these its Service is a NodePort. Default: a load balancer. */
      nodeAddresses: nodeAddresses.optional(),
    }),
    map({
      /** A way to istiod that somebody else made. */
      type: z.literal("Address"),
      /** An IP address or a name. */
      address: z.union([address, dnsName], { error: "an IP address or a DNS name" }),
      port: port.default(15012),
    }),
  ],
  { error: EXPOSURES },
);

const operator = z
  .union([path, z.record(z.string(), z.unknown())], { error: "an IstioOperator, or the path of its YAML file" })
  .default({});

const CONTROL_PLANE = "{install: {version: VERSION}} or {existing: {}}";
export const controlPlane = z.xor(
  [
    map({
      /** The stack makes it, and destroys it. */
      install: map(
        {
          /** The version of Istio; istioctl must be of this very version. */
          version: is(/^\d+\.\d+\.\d+([-+.][\w.+-]*)?$/, "a version such as 1.31.0"),
          /** An IstioOperator, or the path of its YAML file: it reaches istioctl as it is, and ours is laid upon it. */
          operator,
        },
        "a map with at least `version`",
      ),
    }),
    map({
      /** It is there already: nothing of it is made, changed or owned. */
      existing: map({
        /** The revision that hosts belong to, or a tag of it. Default: default. */
        revision: dnsLabel.default("default"),
      })
        .nullable()
        .transform((given) => given ?? { revision: "default" }),
    }),
  ],
  { error: CONTROL_PLANE },
);
