/** Which certificates of hosts are believed no more. */
import type { Authority } from "../config";
import { ISSUED, type IssuedCertificate, issuedIn, isListedIn } from "../mesh/revocation";
import { generationOf } from "../mesh/rotation";
import { parseJson } from "./command";
import type { Kubectl } from "./kubectl";
import type { Rotation } from "./rotation";

export interface Revocation {
  /** What hosts were sent before this update and has not ended. */
  issued: IssuedCertificate[];
  /** What of that is believed no more. */
  revoked: IssuedCertificate[];
  /** The lists that the mesh has. */
  present: string;
}

/**
 * What an update revokes; undefined if there shall be no lists, or can be none: as long as the mesh believes a CA that the
 * stack does not make, that would have none, and be refused by all who have any.
 *
 * @param there the hosts that are neither gone nor leave
 * @throws CommandError
 */
export async function planRevocation(
  ca: Authority,
  { found, authorities }: Rotation,
  there: string[],
  kubectl: Kubectl,
): Promise<Revocation | undefined> {
  if ("provided" in ca || !ca.revocationLists) return undefined;
  if (authorities.known.some((name) => generationOf(name) === undefined)) return undefined;
  const present = found?.lists ?? "";
  const all = issuedIn(await readIssued(kubectl));
  const issued = all.filter(({ notAfter }) => notAfter > new Date());
  const isListed = isListedIn(present);
  const revoked = issued.filter(({ host, serial }) => !there.includes(host) || isListed(serial));
  return { issued, revoked, present };
}

async function readIssued(kubectl: Kubectl): Promise<Record<string, string>> {
  const args = ["get", "configmap", ISSUED, "--namespace=istio-system", "--ignore-not-found", "--output=json"];
  const text = await kubectl(args);
  return text.trim() === ""
    ? {}
    : (parseJson<{ data?: Record<string, string> }>(text, `kubectl get ${ISSUED}`).data ?? {});
}
