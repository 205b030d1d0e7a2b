import { CustomResource } from "@pulumi/kubernetes/apiextensions";
import * as pulumi from "@pulumi/pulumi";
import { INGRESS_GATEWAY, type PassedPort } from "../mesh/exposure";
import { ownerLabels } from "../mesh/kubernetesObject";

export interface MeshExpansionArgs {
  /** istiod's ports that the ingress gateway passes on. */
  ports: PassedPort[];
  /** The stack's owner mark. */
  owner: pulumi.Input<string>;
}

const ISTIOD = "istiod.istio-system.svc.cluster.local";

/**
 * Exposes istiod through the ingress gateway, without ending its TLS: what `values.global.meshExpansion` did until
 * Istio 1.8, and what samples/multicluster/expose-istiod.yaml does since.
 */
export class MeshExpansion extends pulumi.ComponentResource {
  constructor(name: string, { ports, owner }: MeshExpansionArgs, opts?: pulumi.ComponentResourceOptions) {
    super("istio-vm:index:MeshExpansion", name, {}, opts);
    const object = (kind: string, objectName: string, spec: object) =>
      new CustomResource(
        `${name}-${objectName}`,
        {
          apiVersion: "networking.istio.io/v1",
          kind,
          metadata: { name: objectName, namespace: "istio-system", labels: ownerLabels(owner) },
          spec,
        },
        { parent: this },
      );

    object("Gateway", "meshexpansion-gateway", {
      selector: { istio: INGRESS_GATEWAY.selector },
      servers: ports.map((port) => ({
        port: { name: port.name, number: port.gateway, protocol: "TLS" },
        tls: { mode: "PASSTHROUGH" },
        hosts: ["*"],
      })),
    });
    object("VirtualService", "meshexpansion-vs-istiod", {
      hosts: ["*"],
      gateways: ["meshexpansion-gateway"],
      tls: ports.map((port) => ({
        match: [{ port: port.gateway, sniHosts: ["*"] }],
        route: [{ destination: { host: ISTIOD, port: { number: port.istiod } } }],
      })),
    });
    // istiod has no sidecar and speaks TLS itself: the gateway must pass it on as it is.
    object("DestinationRule", "meshexpansion-dr-istiod", {
      host: ISTIOD,
      trafficPolicy: {
        portLevelSettings: ports.map((port) => ({ port: { number: port.istiod }, tls: { mode: "DISABLE" } })),
      },
    });
    this.registerOutputs();
  }
}
