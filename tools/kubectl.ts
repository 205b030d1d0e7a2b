import { quote } from "../mesh/shell";

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
