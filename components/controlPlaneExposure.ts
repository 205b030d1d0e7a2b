import { ServicePatch } from "@pulumi/kubernetes/core/v1";
import * as pulumi from "@pulumi/pulumi";
import { unknown } from "@pulumi/pulumi/output";
import { ISTIOD_PORT } from "../mesh/environment";

export interface ControlPlaneExposureArgs {
  /**
   * NodePort: hosts reach istiod on its node port at `nodeAddress`. LoadBalancer: through the ingress gateway, which
   * MeshExpansion taught istiod's port.
   */
  type: "NodePort" | "LoadBalancer";
  /** For NodePort: the address of a node, as seen from the hosts. */
  nodeAddress?: pulumi.Input<string>;
}

/** The type of the Services `istiod` and `istio-ingressgateway`, and so how hosts outside of the cluster reach istiod. */
export class ControlPlaneExposure extends pulumi.ComponentResource {
  /** The address at which a host reaches istiod. */
  readonly address: pulumi.Output<string>;
  /** The port there. */
  readonly port: pulumi.Output<number>;

  constructor(name: string, args: ControlPlaneExposureArgs, opts?: pulumi.ComponentResourceOptions) {
    super("istio-vm:index:ControlPlaneExposure", name, {}, opts);
    const { type, nodeAddress } = args;
    if (type === "NodePort" && nodeAddress === undefined) {
      throw new Error(`${name}: a NodePort exposure needs nodeAddress, the address of a node as seen from the hosts`);
    }
    const patch = (service: string, serviceType: string) =>
      new ServicePatch(
        `${name}-${service}`,
        {
          metadata: {
            name: service,
            namespace: "istio-system",
            // Kubernetes itself owns the type of a Service that was created without one.
            annotations: { "pulumi.com/patchForce": "true" },
          },
          spec: { type: serviceType },
        },
        { parent: this },
      );

    const istiod = patch("istiod", type === "NodePort" ? "NodePort" : "ClusterIP");
    const gateway = patch("istio-ingressgateway", type);
    if (nodeAddress !== undefined && type === "NodePort") {
      this.address = pulumi.output(nodeAddress);
      this.port = istiod.spec.ports.apply((ports) => {
        const nodePort = ports?.find((port) => port.port === ISTIOD_PORT)?.nodePort;
        if (nodePort === undefined && !pulumi.runtime.isDryRun()) {
          throw new Error(`the Service istiod has no node port for ${ISTIOD_PORT}`);
        }
        return nodePort ?? (unknown as number);
      });
    } else {
      this.address = gateway.status.apply((status) => {
        const ingress = status?.loadBalancer?.ingress?.[0];
        if (ingress?.ip === undefined && !pulumi.runtime.isDryRun()) {
          const found = ingress?.hostname ? `only the name ${ingress.hostname}` : "no address yet";
          throw new Error(`the load balancer of istio-ingressgateway has ${found}; hosts need an IP address`);
        }
        return ingress?.ip ?? (unknown as string);
      });
      this.port = pulumi.output(ISTIOD_PORT);
    }
    this.registerOutputs({ address: this.address, port: this.port });
  }
}
