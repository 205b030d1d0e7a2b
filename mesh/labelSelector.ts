/** Selectors of namespaces and workloads by their labels, as Kubernetes has them (apimachinery: LabelSelector). */
import { at } from "./json";

type Labels = Record<string, string | undefined>;

interface Requirement {
  key: string;
  operator: "In" | "NotIn" | "Exists" | "DoesNotExist";
  values?: string[];
}

export interface LabelSelector {
  matchLabels?: Record<string, string>;
  matchExpressions?: Requirement[];
}

/** Those by which istiod chooses namespaces, if there are any. */
export const selectorsIn = (meshConfig: unknown) => at(meshConfig, "discoverySelectors") as LabelSelector[] | undefined;

/** Kubernetes gives it to each namespace. */
const NAME_LABEL = "kubernetes.io/metadata.name";

function meets(labels: Labels, { key, operator, values = [] }: Requirement): boolean {
  const value = labels[key];
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
  }
}

/** Whether the labels have all of these. */
export const matches = (labels: Labels, matchLabels: Record<string, string> = {}) =>
  Object.entries(matchLabels).every(([key, value]) => labels[key] === value);

/** Whether one of the selectors takes a namespace of that name with these labels. Where there are none, all are taken. */
export function selects(selectors: LabelSelector[], name: string, labels: Labels): boolean {
  const all: Labels = { ...labels, [NAME_LABEL]: name };
  const takes = ({ matchLabels, matchExpressions = [] }: LabelSelector) =>
    matches(all, matchLabels) && matchExpressions.every((requirement) => meets(all, requirement));
  return selectors.length === 0 || selectors.some(takes);
}

/** Labels with which a new namespace of that name is taken by one of the selectors; undefined if it takes more than such. */
export function labelsFor(selectors: LabelSelector[], name: string): Record<string, string> | undefined {
  const candidates = [{}, ...selectors.map(({ matchLabels = {} }) => matchLabels)];
  return candidates.find((labels) => selects(selectors, name, labels));
}
