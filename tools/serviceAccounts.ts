/** Service accounts of hosts: which there are, and tokens of theirs. */
import { OWNER_LABEL } from "../mesh/kubernetesObject";
import { type ClusterAccess, type Kubectl, kubectlFor, list } from "./kubectl";

export interface ServiceAccountName {
  namespace: string;
  serviceAccount: string;
}

export const accountName = ({ namespace, serviceAccount }: ServiceAccountName) => `${namespace}/${serviceAccount}`;

/**
 * Those of these service accounts that the stack is to make: each once, but for those that are there already and that no
 * stack of this program made. `default` comes with its namespace.
 *
 * @throws CommandError
 */
export async function accountsToMake(
  wanted: ServiceAccountName[],
  access: ClusterAccess,
  kubectl: Kubectl = kubectlFor(access),
): Promise<ServiceAccountName[]> {
  const namespaces = [...new Set(wanted.map(({ namespace }) => namespace))];
  const foreign = await Promise.all(
    namespaces.map(async (namespace) => {
      const accounts = await list(kubectl, "serviceaccounts", `--namespace=${namespace}`);
      return accounts
        .filter(({ metadata }) => metadata.labels?.[OWNER_LABEL] === undefined)
        .map(({ metadata }) => `${namespace}/${metadata.name}`);
    }),
  );
  const there = new Set([...foreign.flat(), ...namespaces.map((namespace) => `${namespace}/default`)]);
  const seen = new Set<string>();
  return wanted.filter((account) => {
    const name = accountName(account);
    const make = !there.has(name) && !seen.has(name);
    seen.add(name);
    return make;
  });
}

/** The hosts that have one of the stack's own accounts, by that account. */
export function usersOf<Host extends ServiceAccountName>(
  own: ServiceAccountName[],
  hosts: Host[],
): Map<string, Host[]> {
  const users = (account: string) => hosts.filter((host) => accountName(host) === account);
  return new Map(own.map(accountName).map((account) => [account, users(account)]));
}

/** Seconds that a token is good for: a join takes a few, and the sidecar needs it but once. Kubernetes allows no less. */
const TOKEN_SECONDS = 600;

/** A new token of a service account, for istiod alone. @throws why there is none, and what to do */
export async function requestToken(
  { namespace, serviceAccount }: ServiceAccountName,
  audience: string,
  access: ClusterAccess,
  kubectl: Kubectl = kubectlFor(access),
): Promise<string> {
  const args = [`--namespace=${namespace}`, `--audience=${audience}`, `--duration=${TOKEN_SECONDS}s`];
  try {
    return (await kubectl(["create", "token", serviceAccount, ...args])).trim();
  } catch (error) {
    const { message } = error as Error;
    const [, advice] = REFUSALS.find(([pattern]) => pattern.test(message)) ?? [];
    const account = accountName({ namespace, serviceAccount });
    throw new Error(`there is no token of the service account ${account}: ${message}${advice ? `: ${advice}` : ""}`);
  }
}

/** What kubectl says to it, and what to do. */
const REFUSALS: [pattern: RegExp, advice: string][] = [
  [/is not on the PATH/, "install kubectl (IVM104)"],
  [/not found/, "pulumi refresh && pulumi up makes it anew; one that is not the stack's is yours to make"],
  [/forbidden/, "pulumi up needs the right to create serviceaccounts/token there (IVM303)"],
];
