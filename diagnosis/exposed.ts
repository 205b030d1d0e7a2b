/** The Services by which hosts reach istiod: which they are, and how they open its port. */
import { type Config, isInstalled } from "../config";
import { EAST_WEST_GATEWAY, exposureOf, ownServiceOf } from "../mesh/exposure";
import { ISTIOD_PORT } from "../mesh/istiod";
import type { ClusterObject } from "./clusterObjects";
import type { FoundService, Outputs } from "./facts";

export interface ExposedService {
  service: string;
  namespace: string;
  /** The node port that hosts were told. */
  told?: number;
}

/** The Services that the last update left for hosts; none where somebody else made the way. */
export function exposedServices(config: Config, { controlPlanes }: Outputs): ExposedService[] {
  const { exposure } = config;
  const { through, istiod: place } = exposureOf(exposure, { installed: isInstalled(config) });
  const istiods = Object.values(controlPlanes).map(({ service, namespace, istiod }) => ({
    service,
    namespace,
    told: place.by === "nodePort" ? istiod.port : undefined,
  }));
  if (through === "istiod") return istiods;
  if (through === "ownService") return istiods.map((one) => ({ ...one, service: ownServiceOf(one.service) }));
  if (exposure.type === "LoadBalancer") return [exposure.gateway];
  if (exposure.type === "EastWestGateway") {
    return [{ service: EAST_WEST_GATEWAY.service, namespace: exposure.namespace, told: istiods[0]?.told }];
  }
  return [];
}

/** Those of them that are there. @param services all of their namespaces */
export function findExposed(exposed: ExposedService[], services: ClusterObject[]): FoundService[] {
  return exposed.flatMap(({ service, namespace }) =>
    services
      .filter(({ metadata }) => metadata.name === service && metadata.namespace === namespace)
      .map(({ spec }) => {
        const port = spec?.ports?.find((one) => one.port === ISTIOD_PORT);
        return { service, namespace, port: port && { nodePort: port.nodePort } };
      }),
  );
}

/** Why hosts do not reach istiod by it, if they do not. */
export function brokenBy({ service, namespace, told }: ExposedService, found: FoundService[]): string | undefined {
  const name = `the Service ${namespace}/${service}`;
  const there = found.find((one) => one.service === service && one.namespace === namespace);
  if (there === undefined) return `${name} is gone`;
  if (there.port === undefined) return `${name} has no port ${ISTIOD_PORT}`;
  const { nodePort } = there.port;
  if (told === undefined || nodePort === told) return undefined;
  return `${name} has ${nodePort === undefined ? "no node port" : `the node port ${nodePort}`}, but the hosts were told ${told}`;
}
