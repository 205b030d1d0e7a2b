/** What the secret cacerts says of the authorities whose certificates the mesh believes, in annotations of ours. */
import { type Authorities, generationName, keyDigest, keyName, providedName } from "./rotation";

/** The authorities, and of each whose certificate was at hand the digest of its key: its name alone could be another's. */
export interface AuthorityNotes extends Authorities {
  keys: Record<string, string>;
}

const KNOWN = "pulumi-istio-vm/authorities";
const SIGNER = "pulumi-istio-vm/signer";
export const AUTHORITY_ANNOTATIONS = [KNOWN, SIGNER];

export const authorityAnnotations = ({ known, signer, keys }: AuthorityNotes): Record<string, string> => ({
  [KNOWN]: known.map((name) => [name, ...(keys[name] ? [keys[name]] : [])].join("=")).join(" "),
  [SIGNER]: signer,
});

/** What of the secret every proxy has a part of. */
export interface SharedPems {
  /** The roots that the mesh trusts, in PEM. */
  rootCert: string;
  /** The certificate of the authority that signs. */
  caCert: string;
  /** The revocation lists of the mesh, if it has any. */
  lists?: string;
}

/** The secret as it is. */
export type FoundAuthorities = AuthorityNotes & SharedPems;

/**
 * @param annotations of the secret; one that an older version of this program made has none, and one authority
 * @param made whether that is the first one that the stack makes, or else the user's own
 */
export function readNotes(annotations: Record<string, string>, pems: SharedPems, made: boolean): FoundAuthorities {
  const only = made ? generationName({ root: 1, intermediate: 1 }) : providedName(pems.caCert);
  const { [KNOWN]: noted = `${only}=${keyDigest(pems.caCert)}`, [SIGNER]: signer = only } = annotations;
  // A number is the name of an authority only while the stack makes it: later, it may be another's.
  const written = noted.split(" ").map((entry) => entry.split("=") as [string, string?]);
  const names = new Map(written.map(([name, key]) => [name, made || key === undefined ? name : keyName(key)]));
  const entries = written.map(([name, key]): [string, string?] => [names.get(name)!, key]);
  return {
    known: entries.map(([name]) => name),
    signer: names.get(signer) ?? signer,
    keys: Object.fromEntries(entries.filter((entry): entry is [string, string] => entry[1] !== undefined)),
    ...pems,
  };
}

/**
 * The keys of all authorities.
 *
 * @param made the certificates of those that are at hand, by name
 * @throws if the mesh knows another authority by such a name
 */
export function keysWith(
  known: Record<string, string> = {},
  made: [name: string, caCert: string][],
  wanted: string,
): Record<string, string> {
  const keys = made.map(([name, caCert]) => [name, keyDigest(caCert)] as const);
  for (const [name, key] of keys) {
    if ((known[name] ?? key) === key) continue;
    const way =
      name === wanted ? "choose a higher number for ca.root" : "pulumi up with that one before it is replaced";
    throw new Error(`the mesh knows another CA as ${name}: ${way}`);
  }
  return { ...known, ...Object.fromEntries(keys) };
}
