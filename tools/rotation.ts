/** Where a mesh is in the replacement of its authority, and whether it can go on. */
import { setTimeout as delay } from "node:timers/promises";
import type { Authority } from "../config";
import type { FoundAuthorities, SharedPems } from "../mesh/authorityNotes";
import {
  after,
  type Authorities,
  generationName,
  lacking,
  nextStep,
  providedName,
  type ProxyTrust,
  type RotationStep,
  type Settlement,
} from "../mesh/rotation";
import { readAuthorities } from "./caCerts";
import type { Kubectl } from "./kubectl";
import { trustOfProxies } from "./proxies";

/** What an update makes of the authorities. */
export interface Rotation {
  /** What there is before it; undefined at the first one. */
  found?: FoundAuthorities;
  /** The authority that the configuration wants. */
  wanted: string;
  /** What there is after it. */
  authorities: Authorities;
  /** The step that it takes, if any. */
  step?: RotationStep;
  /** Why it takes no step though there is one to take: a line each. */
  missing: string[];
  /** Whether those are waited for that can't be asked. */
  waitsForAbsent: boolean;
}

/** Whom there is to ask: the cluster, all hosts of the stack, and the istiods in these namespaces. */
export interface Asking {
  kubectl: Kubectl;
  askHosts: () => Promise<ProxyTrust[]>;
  istiods: string[];
}

export const authorityName = (ca: Authority): string =>
  "provided" in ca ? providedName(ca.provided.caCert) : generationName(ca);

/** Who lacks what of it, a line each; of those that can't be asked only if they are waited for. */
export async function unsettled(
  settlement: Settlement,
  { kubectl, askHosts, istiods }: Asking,
  waitsForAbsent: boolean,
): Promise<string[]> {
  const proxies = await trustOfProxies(kubectl, await askHosts(), istiods);
  return proxies
    .filter(({ problem }) => problem === undefined || waitsForAbsent)
    .flatMap((proxy) => {
      const what = lacking(proxy, settlement);
      return what === undefined ? [] : [`${proxy.proxy} ${what}`];
    });
}

/** What a mesh must be settled on that has these authorities. */
export const settlementOf = (
  { known, signer }: Authorities,
  wanted: string,
  { rootCert, caCert, lists }: SharedPems,
): Settlement => ({
  roots: rootCert,
  exact: known.length === 1,
  signer: caCert,
  sends: signer === wanted,
  lists,
});

/** Milliseconds between two questions, and in which fewer must lack something than before. */
const LIMITS = { pause: 2000, progress: 120_000 };

/** How often they are asked before a step is put off: a pod may end between the list and the question. */
const ASKS = 3;

/** Decides which step of a rotation an update takes. @throws CommandError if the cluster does not answer */
export async function planRotation(ca: Authority, asking: Asking, pause = LIMITS.pause): Promise<Rotation> {
  const wanted = authorityName(ca);
  const waitsForAbsent = ca.rotation.absent === "wait";
  const found = await readAuthorities(asking.kubectl, !("provided" in ca));
  const unmoved = { found, wanted, missing: [], waitsForAbsent };
  if (found === undefined) return { ...unmoved, authorities: { known: [wanted], signer: wanted } };
  const current: Authorities = { known: found.known, signer: found.signer };
  const step = nextStep(current, wanted, ca.rotation.until);
  if (step === undefined) return { ...unmoved, authorities: current };
  const settlement = settlementOf(current, wanted, found);
  const ask = () => unsettled(settlement, asking, waitsForAbsent);
  let missing = step === "prepare" ? [] : await ask();
  for (let asked = 1; missing.length > 0 && asked < ASKS; asked++) {
    await delay(pause);
    missing = await ask();
  }
  return missing.length > 0
    ? { ...unmoved, authorities: current, missing }
    : { ...unmoved, authorities: after(current, step, wanted), step };
}

/**
 * Waits until every proxy has what these authorities mean to it.
 *
 * @param tell who is waited for, whenever that changes
 * @throws naming who lacks what, if nobody has got it for two minutes
 */
export async function awaitSettled(
  ask: () => Promise<string[]>,
  tell: (missing: string[]) => void,
  { pause, progress } = LIMITS,
  now = () => performance.now(),
): Promise<void> {
  let least = Infinity;
  let since = now();
  for (let said = ""; ;) {
    // A cluster that does not answer for a moment, perhaps since istiod has just been exchanged, ends nothing.
    const { missing, count } = await ask().then(
      (lacking) => ({ missing: lacking, count: lacking.length }),
      ({ message }: Error) => ({ missing: [message], count: Infinity }),
    );
    if (count === 0) return;
    if (count < least) [least, since] = [count, now()];
    if (now() - since > progress) throw new Error(missing.join("\n  "));
    if (missing.join() !== said) tell(missing);
    said = missing.join();
    await delay(pause);
  }
}

/** Waits until every proxy has what an update means to it. @throws naming who lacks what */
export async function awaitRotation(
  { authorities, wanted, waitsForAbsent }: Rotation,
  pems: SharedPems,
  asking: Asking,
  tell: (missing: string[]) => void,
): Promise<void> {
  const settlement = settlementOf(authorities, wanted, pems);
  await awaitSettled(() => unsettled(settlement, asking, waitsForAbsent), tell).catch(({ message }: Error) => {
    throw new Error(`the mesh has not all that the replacement of its CA needs yet: pulumi up goes on\n  ${message}`);
  });
}
