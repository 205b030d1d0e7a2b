import type { KubernetesObject } from "../mesh/kubernetesObject";
import { quote } from "../mesh/shell";
import { capture, parseJson } from "./command";

/** How kubectl finds the cluster; what is absent is as in its own environment. */
export interface ClusterAccess {
  /** Path of the kubeconfig. */
  kubeconfig?: string;
  context?: string;
}

/** The flags by which kubectl takes that cluster and no other. */
export function accessFlags({ kubeconfig, context }: ClusterAccess): string[] {
  return [...(kubeconfig ? ["--kubeconfig", kubeconfig] : []), ...(context ? ["--context", context] : [])];
}

/** A kubectl command for a shell. */
export function kubectlCommand(access: ClusterAccess = {}, args: string[]): string {
  return ["kubectl", ...accessFlags(access), ...args].map(quote).join(" ");
}

/** Runs kubectl on a cluster and returns its stdout. @throws CommandError */
export type Kubectl = (args: string[], input?: string) => Promise<string>;

/** kubectl for a cluster. An API server that hangs is given up after 10 s. */
export function kubectlFor(access: ClusterAccess): Kubectl {
  return (args, input) => capture("kubectl", [...accessFlags(access), "--request-timeout=10s", ...args], input);
}

/** What `kubectl get` lists. @throws CommandError, or if it answers something else than a list */
export async function list<T = KubernetesObject>(kubectl: Kubectl, ...args: string[]): Promise<T[]> {
  const what = `kubectl get ${args[0]}`;
  const { items } = parseJson<{ items?: T[] }>(await kubectl(["get", ...args, "--output=json"]), what);
  if (!Array.isArray(items)) throw new Error(`${what}: it answered no list`);
  return items;
}
