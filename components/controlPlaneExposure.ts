import { ServicePatch } from "@pulumi/kubernetes/core/v1";
import * as pulumi from "@pulumi/pulumi";
import { unknown } from "@pulumi/pulumi/output";
import { ISTIOD_PORT } from "../mesh/environment";
import { type ExposureArgs, exposureOf } from "../mesh/exposure";

/** Plain values where they decide which resources there are. */
export type ControlPlaneExposureArgs = ExposureArgs<pulumi.Input<string>> & {
  /** Whether there is an ingress gateway, whose type is set as well. Default: true. */
  gateway?: boolean;
};

/** The types of Services in istio-system, and so how hosts outside of the cluster reach istiod. */
export class ControlPlaneExposure extends pulumi.ComponentResource {
  /** The address at which a host reaches istiod. */
  readonly address: pulumi.Output<string>;
  /** The port there. */
  readonly port: pulumi.Output<number>;

  constructor(name: string, args: ControlPlaneExposureArgs, opts?: pulumi.ComponentResourceOptions) {
    super("istio-vm:index:ControlPlaneExposure", name, {}, opts);
    const { serviceTypes, istiod } = exposureOf(args, args.gateway);
    if (istiod.by === "nodePort" && istiod.nodeAddress === undefined) {
      throw new Error(`${name}: a NodePort exposure needs nodeAddress, the address of a node as seen from the hosts`);
    }
    const patches = new Map(
      Object.entries(serviceTypes).map(([service, type]) => [
        service,
        new ServicePatch(
          `${name}-${service}`,
          {
            metadata: {
              name: service,
              namespace: "istio-system",
              // Kubernetes itself owns the type of a Service that was created without one.
              annotations: { "pulumi.com/patchForce": "true" },
            },
            spec: { type },
          },
          { parent: this },
        ),
      ]),
    );
    const { spec, status } = patches.get(istiod.service)!;
    if (istiod.by === "nodePort") {
      this.address = pulumi.output(istiod.nodeAddress);
      this.port = spec.ports.apply((ports) => {
        const nodePort = ports?.find((port) => port.port === ISTIOD_PORT)?.nodePort;
        if (nodePort === undefined && !pulumi.runtime.isDryRun()) {
          throw new Error(`the Service ${istiod.service} has no node port for ${ISTIOD_PORT}`);
        }
        return nodePort ?? (unknown as number);
      });
    } else {
      this.address = status.apply((reported) => {
        const ingress = reported?.loadBalancer?.ingress?.[0];
        if (ingress?.ip === undefined && !pulumi.runtime.isDryRun()) {
          const found = ingress?.hostname ? `only the name ${ingress.hostname}` : "no address yet";
          throw new Error(`the load balancer of ${istiod.service} has ${found}; hosts need an IP address`);
        }
        return ingress?.ip ?? (unknown as string);
      });
      this.port = pulumi.output(istiod.port);
    }
    this.registerOutputs({ address: this.address, port: this.port });
  }
}
