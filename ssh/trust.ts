/** Which roots hosts trust, and by which authority they have their identities. */
import type { ProxyTrust } from "../mesh/rotation";
import { ofEach } from "../mesh/each";
import { lookAtMachine, type Machine } from "./machine";
import type { Login, SessionOptions } from "./session";

/** Milliseconds: one that does not answer is not waited for. */
const OPTIONS: SessionOptions = { background: true, dial: 3000 };

export interface AskedHost {
  name: string;
  namespace: string;
  login: Login;
}

/**
 * Asks each of these hosts. Of one that does not answer it says why; of one that has not joined, nothing: it joins with what
 * there is then, and no update may wait for it to have done so.
 */
export async function trustOfHosts(
  hosts: AskedHost[],
  look: (login: Login) => Promise<Machine> = (login) => lookAtMachine(login, OPTIONS),
): Promise<ProxyTrust[]> {
  const told = await ofEach(hosts, async ({ name, namespace, login }): Promise<ProxyTrust | undefined> => {
    const proxy = `${name}.${namespace}`;
    try {
      const machine = await look(login);
      if (machine.name !== name) return undefined;
      const { rootCert: roots, certChain, sentChain, lists } = machine;
      return { proxy, roots, certChain, sentChain, lists };
    } catch (error) {
      return { proxy, problem: `can't be asked: ${(error as Error).message}` };
    }
  });
  return told.filter((trust) => trust !== undefined);
}
