import { CustomResource } from "@pulumi/kubernetes/apiextensions";
import * as pulumi from "@pulumi/pulumi";
import { ownerLabels } from "./owner";

export interface MeshExpansionArgs {
  /** The stack's owner mark. */
  owner: pulumi.Input<string>;
}

const ISTIOD = "istiod.istio-system.svc.cluster.local";

/** istiod's ports: on the gateway, and on its own Service (15017 is the webhook, which the Service has as 443). */
const PORTS = [
  { name: "tls-istiod", gateway: 15012, istiod: 15012 },
  { name: "tls-webhook", gateway: 15017, istiod: 443 },
];

/**
 * Exposes istiod through the ingress gateway, without ending its TLS: what `values.global.meshExpansion` did until
 * Istio 1.8, and what samples/multicluster/expose-istiod.yaml does since.
 */
export class MeshExpansion extends pulumi.ComponentResource {
  constructor(name: string, args: MeshExpansionArgs, opts?: pulumi.ComponentResourceOptions) {
    super("istio-vm:index:MeshExpansion", name, {}, opts);
    const object = (kind: string, objectName: string, spec: object) =>
      new CustomResource(
        `${name}-${objectName}`,
        {
          apiVersion: "networking.istio.io/v1",
          kind,
          metadata: { name: objectName, namespace: "istio-system", labels: ownerLabels(args.owner) },
          spec,
        },
        { parent: this },
      );

    object("Gateway", "meshexpansion-gateway", {
      selector: { istio: "ingressgateway" },
      servers: PORTS.map((port) => ({
        port: { name: port.name, number: port.gateway, protocol: "TLS" },
        tls: { mode: "PASSTHROUGH" },
        hosts: ["*"],
      })),
    });
    object("VirtualService", "meshexpansion-vs-istiod", {
      hosts: ["*"],
      gateways: ["meshexpansion-gateway"],
      tls: PORTS.map((port) => ({
        match: [{ port: port.gateway, sniHosts: ["*"] }],
        route: [{ destination: { host: ISTIOD, port: { number: port.istiod } } }],
      })),
    });
    // istiod has no sidecar and speaks TLS itself: the gateway must pass it on as it is.
    object("DestinationRule", "meshexpansion-dr-istiod", {
      host: ISTIOD,
      trafficPolicy: {
        portLevelSettings: PORTS.map((port) => ({ port: { number: port.istiod }, tls: { mode: "DISABLE" } })),
      },
    });
    this.registerOutputs();
  }
}
