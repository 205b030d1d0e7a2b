/** The namespaces that hosts, services, the sample client and a gateway of our own need. */
import type { Config } from "../config";
import { isExisting, usedNamespaces } from "../config/namespaces";
import { labelsFor, type LabelSelector, selects } from "../mesh/labelSelector";
import { type Kubectl, kubectlFor, list } from "./kubectl";

export interface NewNamespace {
  name: string;
  /** With which istiod looks at it. */
  labels: Record<string, string>;
}

/**
 * The namespaces that the stack makes, with labels by which each istiod looks at them (meshConfig.discoverySelectors).
 *
 * @param selectors of each control plane
 * @param problems gets what keeps istiod from a namespace, a line each
 * @throws CommandError
 */
export async function namespacesToMake(
  config: Config,
  selectors: LabelSelector[][],
  problems: string[],
  kubectl: Kubectl = kubectlFor(config.cluster),
): Promise<NewNamespace[]> {
  const used = usedNamespaces(config);
  const present = used.filter((name) => isExisting(config, name));
  const isSeen = (name: string, labels: Record<string, string>) => selectors.every((one) => selects(one, name, labels));
  const advice = "istiod looks at other namespaces only (meshConfig.discoverySelectors)";
  if (selectors.some((one) => one.length > 0) && present.length > 0) {
    const found = new Map(
      (await list(kubectl, "namespaces")).map(({ metadata }) => [metadata.name, metadata.labels ?? {}]),
    );
    const unseen = present.filter((name) => found.has(name) && !isSeen(name, found.get(name)!));
    problems.push(...unseen.map((name) => `namespace ${name}: ${advice}: give it their labels`));
  }
  return used
    .filter((name) => !present.includes(name))
    .map((name) => {
      const labels = Object.assign({}, ...selectors.map((one) => labelsFor(one, name))) as Record<string, string>;
      if (!isSeen(name, labels)) {
        problems.push(
          `namespace ${name}: ${advice}: make it with their labels, and add it to cluster.existingNamespaces`,
        );
      }
      return { name, labels };
    });
}
