import { USUAL_ISTIOD } from "../mesh/istiod";
import { type Config, isInstalled } from "./resolve";

/** Every namespace of hosts, services, the sample client and a gateway of our own, once. */
export function usedNamespaces({ hosts, services, sampleClient, exposure }: Config): string[] {
  const used = [...hosts, ...services, ...(sampleClient ? [sampleClient] : [])].map(({ namespace }) => namespace);
  return [...new Set([...used, ...(exposure.type === "EastWestGateway" ? [exposure.namespace] : [])])];
}

/** The same with that of an istiod which the stack installs. */
export const wantedNamespaces = (config: Config): string[] => [
  ...new Set([...usedNamespaces(config), ...(isInstalled(config) ? [USUAL_ISTIOD.namespace] : [])]),
];

/** Whether somebody else made it. */
export const isExisting = ({ cluster }: Config, namespace: string) => cluster.existingNamespaces.includes(namespace);
