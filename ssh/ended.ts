/** Whether the identity of a host has ended, as that of one that was off for long: nothing there can renew it then. */
import { setTimeout as delay } from "node:timers/promises";
import { inspectCertificate } from "../mesh/certificates";
import { ofEach } from "../mesh/each";
import { lookAtMachine, type Machine } from "./machine";
import type { Login, SessionOptions } from "./session";

/** Milliseconds: a preview waits no longer for a host that does not answer, of which then nothing is known. */
const LIMIT = 8000;
const OPTIONS: SessionOptions = { background: true, dial: 3000 };

/** When the certificate of a machine ended, by its own clock; undefined if it did not, or is not that host's. */
function ended({ name: joined, certChain, now }: Machine, name: string): Date | undefined {
  if (joined !== name || certChain === undefined || now === undefined) return undefined;
  const { notAfter } = inspectCertificate(certChain);
  return notAfter <= now ? notAfter : undefined;
}

/**
 * Looks which of these hosts have an identity that has ended. Nothing is said of one that can't be asked, or has not joined.
 *
 * @param logins by the names of the hosts
 * @returns when it ended, by name
 */
export async function endedIdentities(
  logins: Map<string, Login>,
  look = (login: Login) => lookAtMachine(login, OPTIONS),
  limit = LIMIT,
): Promise<Map<string, Date>> {
  const answers = await ofEach([...logins], async ([name, login]): Promise<[string, Date | undefined]> => {
    const over = new AbortController();
    const late = delay(limit, undefined, { signal: over.signal }).catch(() => undefined);
    try {
      const machine = await Promise.race([look(login), late]);
      return [name, machine && ended(machine, name)];
    } catch {
      return [name, undefined];
    } finally {
      over.abort();
    }
  });
  return new Map(answers.filter((answer): answer is [string, Date] => answer[1] !== undefined));
}
