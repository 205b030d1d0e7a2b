import { CustomResource } from "@pulumi/kubernetes/apiextensions";
import * as pulumi from "@pulumi/pulumi";
import type { PassedPort } from "../mesh/exposure";
import { istiodName } from "../mesh/istiod";
import { ownerLabels } from "../mesh/kubernetesObject";

export interface MeshExpansionArgs {
  /** istiod's ports that the gateway passes on. */
  ports: PassedPort[];
  /** The Services of istiod: each revision has its own. */
  istiods: { service: string; namespace: string }[];
  /** The gateway: where it is, and the labels of its pods. */
  gateway: { namespace: string; selector: Record<string, string> };
  /** The domain of the cluster's DNS. */
  clusterDomain: pulumi.Input<string>;
  /** The stack's owner mark. */
  owner: pulumi.Input<string>;
}

/**
 * Exposes istiod through a gateway, without ending its TLS: what `values.global.meshExpansion` did until Istio 1.8, and
 * what samples/multicluster/expose-istiod.yaml does since. Of several revisions each host names its own as it dials (SNI).
 */
export class MeshExpansion extends pulumi.ComponentResource {
  constructor(name: string, args: MeshExpansionArgs, opts?: pulumi.ComponentResourceOptions) {
    super("istio-vm:index:MeshExpansion", name, {}, opts);
    const { ports, istiods, gateway, clusterDomain, owner } = args;
    const object = (kind: string, objectName: string, spec: object) =>
      new CustomResource(
        `${name}-${objectName}`,
        {
          apiVersion: "networking.istio.io/v1",
          kind,
          metadata: { name: objectName, namespace: gateway.namespace, labels: ownerLabels(owner) },
          spec,
        },
        { parent: this },
      );
    const hostOf = (istiod: (typeof istiods)[number]) => pulumi.interpolate`${istiodName(istiod)}.${clusterDomain}`;
    const sniOf = (istiod: (typeof istiods)[number]) => (istiods.length > 1 ? istiodName(istiod) : "*");

    object("Gateway", "meshexpansion-gateway", {
      selector: gateway.selector,
      servers: ports.map((port) => ({
        port: { name: port.name, number: port.gateway, protocol: "TLS" },
        tls: { mode: "PASSTHROUGH" },
        hosts: ["*"],
      })),
    });
    object("VirtualService", "meshexpansion-vs-istiod", {
      hosts: ["*"],
      gateways: ["meshexpansion-gateway"],
      tls: istiods.flatMap((istiod) =>
        ports.map((port) => ({
          match: [{ port: port.gateway, sniHosts: [sniOf(istiod)] }],
          route: [{ destination: { host: hostOf(istiod), port: { number: port.istiod } } }],
        })),
      ),
    });
    // istiod has no sidecar and speaks TLS itself: the gateway must pass it on as it is. It alone is told so.
    for (const istiod of istiods) {
      object("DestinationRule", `meshexpansion-dr-${istiod.service}`, {
        host: hostOf(istiod),
        exportTo: ["."],
        trafficPolicy: {
          portLevelSettings: ports.map((port) => ({ port: { number: port.istiod }, tls: { mode: "DISABLE" } })),
        },
      });
    }
    this.registerOutputs();
  }
}
