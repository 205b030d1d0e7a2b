import { type Config, isInstalled } from "../config";
import { USUAL_ISTIOD } from "../mesh/istiod";

/** The namespaces that the stack makes or uses. */
export function wantedNamespaces(config: Config): string[] {
  const { hosts, services, sampleClient, exposure } = config;
  const gateway = exposure.type === "EastWestGateway" ? [exposure] : [];
  const used = [...hosts, ...services, ...gateway, ...(sampleClient ? [sampleClient] : [])];
  return [...new Set([...used, ...(isInstalled(config) ? [USUAL_ISTIOD] : [])].map(({ namespace }) => namespace))];
}

export const namespacesToMake = (config: Config) =>
  wantedNamespaces(config).filter((name) => !config.cluster.existingNamespaces.includes(name));
