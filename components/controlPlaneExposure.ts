import { Service, ServicePatch } from "@pulumi/kubernetes/core/v1";
import * as pulumi from "@pulumi/pulumi";
import { unknown } from "@pulumi/pulumi/output";
import {
  CROSS_NETWORK_PORT,
  type ExposedGateway,
  type Exposure,
  INGRESS_GATEWAY,
  ownServiceOf,
} from "../mesh/exposure";
import { ISTIOD_PORT } from "../mesh/istiod";
import { ownerLabels } from "../mesh/kubernetesObject";
import { TAKEN_OVER } from "../mesh/manifests";

/** A revision of istiod, by its Service. */
export interface ExposedIstiod {
  service: string;
  namespace: string;
  /** The labels of its pods. Not needed where its own Service is patched. */
  selector?: Record<string, string>;
}

/** Plain values where they decide which resources there are. */
export interface ControlPlaneExposureArgs {
  exposure: Exposure<pulumi.Input<string>>;
  istiods: ExposedIstiod[];
  /** Where hosts reach istiod through one. */
  gateway?: ExposedGateway;
  /** The cluster's network, if a gateway of our own is for hosts in another as well. */
  network?: string;
  /** The stack's owner mark. */
  owner: pulumi.Input<string>;
}

/** Where a host reaches istiod. */
export interface IstiodAddress {
  /** IP addresses, of which any will do; or one DNS name. */
  addresses: pulumi.Output<string[]>;
  port: pulumi.Output<number>;
}

type Exposed = Pick<ServicePatch, "spec" | "status">;

/**
 * The Services by which hosts outside of the cluster reach istiod: those of an Istio that is installed here get a type; in
 * an existing mesh one of our own is made, or a port is added to a gateway's, which goes again with this resource.
 */
export class ControlPlaneExposure extends pulumi.ComponentResource {
  private readonly places: Map<string, IstiodAddress>;

  constructor(name: string, args: ControlPlaneExposureArgs, opts?: pulumi.ComponentResourceOptions) {
    super("istio-vm:index:ControlPlaneExposure", name, {}, opts);
    const { exposure, istiods, gateway, network, owner } = args;
    const tcp = (portName: string, port: number) => ({ name: portName, port, targetPort: port, protocol: "TCP" });
    const istiodPort = tcp("tls-istiod", ISTIOD_PORT);
    const patch = (service: string, namespace: string, spec: object, annotations = {}, options = {}): Exposed =>
      new ServicePatch(
        `${name}-${service}`,
        { metadata: { name: service, namespace, annotations }, spec },
        { parent: this, ...options },
      );
    // Nodes may have addresses of both families: a node port answers at those that its Service has.
    const atAllNodes = { ipFamilyPolicy: "PreferDualStack" };
    // Taken over: Kubernetes itself owns the type of a Service that was created without one.
    const typed = Object.entries(exposure.serviceTypes).map(([service, type]): [string, Exposed] => [
      service,
      patch(service, "istio-system", type === "NodePort" ? { type, ...atAllNodes } : { type }, TAKEN_OVER),
    ]);
    const patched = new Map(typed);
    const own = (service: string, namespace: string, spec: object, labels = {}): Exposed =>
      new Service(
        `${name}-${service}`,
        {
          metadata: { name: service, namespace, labels: ownerLabels(owner, labels) },
          spec: { ...spec, ...atAllNodes },
        },
        { parent: this },
      );

    const serviceFor = ((): ((istiod: ExposedIstiod) => Exposed | undefined) => {
      switch (exposure.through) {
        case "istiod":
          return ({ service }) => patched.get(service);
        case "ownService": {
          const spec = { type: "NodePort", ports: [istiodPort] };
          return ({ service, namespace, selector }) => own(ownServiceOf(service), namespace, { ...spec, selector });
        }
        case "ingressGateway": {
          const ours = patched.get(INGRESS_GATEWAY.service);
          if (ours !== undefined || gateway === undefined) return () => ours;
          const spec = { ports: [tcp(gateway.portName ?? istiodPort.name, ISTIOD_PORT)] };
          // The provider compares lists by position: it takes the first port of the Service for this one. Nothing is to be
          // compared while the port is there; one that was lost (the gateway was installed anew) is added again.
          const ignoreChanges = gateway.carriesIstiod ? ["spec"] : [];
          const theirs = patch(gateway.service, gateway.namespace, spec, {}, { ignoreChanges });
          return () => theirs;
        }
        case "ownGateway": {
          if (gateway === undefined) return () => undefined;
          const type = exposure.istiod.by === "nodePort" ? "NodePort" : "LoadBalancer";
          const crossing = network === undefined ? [] : [tcp(CROSS_NETWORK_PORT.name, CROSS_NETWORK_PORT.port)];
          const labels = network === undefined ? {} : { "topology.istio.io/network": network };
          const spec = { type, selector: gateway.selector, ports: [istiodPort, ...crossing] };
          const ofGateway = own(gateway.service, gateway.namespace, spec, labels);
          return () => ofGateway;
        }
        case "none":
          return () => undefined;
      }
    })();
    this.places = new Map(
      istiods.map((istiod) => [istiod.service, placeOf(name, exposure, istiod, serviceFor(istiod))]),
    );
    this.registerOutputs();
  }

  /** Where a host reaches the istiod of that Service. */
  of(service: string): IstiodAddress {
    const place = this.places.get(service);
    if (place === undefined) throw new Error(`the istiod ${service} is not among those that are exposed`);
    return place;
  }
}

function placeOf(
  name: string,
  { istiod: place }: Exposure<pulumi.Input<string>>,
  { service }: ExposedIstiod,
  exposed?: Exposed,
): IstiodAddress {
  if (place.by === "address") {
    return { addresses: pulumi.output([place.address]), port: pulumi.output(place.port) };
  }
  if (exposed === undefined) throw new Error(`${name}: there is no Service by which hosts could reach ${service}`);
  if (place.by === "nodePort") {
    if (place.nodeAddresses.length === 0) {
      throw new Error(`${name}: a NodePort exposure needs nodeAddresses, those of nodes as seen from the hosts`);
    }
    const port = exposed.spec.apply((spec) => {
      const nodePort = spec?.ports?.find(({ port }) => port === ISTIOD_PORT)?.nodePort;
      if (nodePort === undefined && !pulumi.runtime.isDryRun()) {
        throw new Error(`the Service by which hosts reach ${service} has no node port for ${ISTIOD_PORT}`);
      }
      return nodePort ?? (unknown as number);
    });
    return { addresses: pulumi.all(place.nodeAddresses), port };
  }
  const addresses = exposed.status.apply((status) => {
    const ingress = status?.loadBalancer?.ingress ?? [];
    const ips = ingress.flatMap(({ ip }) => ip ?? []);
    const found = ips.length > 0 ? ips : ingress.flatMap(({ hostname }) => hostname ?? []).slice(0, 1);
    if (found.length === 0 && !pulumi.runtime.isDryRun()) {
      throw new Error(
        `the load balancer by which hosts reach ${service} has no address yet: look at it by kubectl, then run pulumi up again`,
      );
    }
    return found.length > 0 ? found : (unknown as string[]);
  });
  return { addresses, port: pulumi.output(place.port) };
}
