/**
 * How the certificate authority of a mesh is replaced while the mesh goes on, in SPIRE's words and one step at a time:
 *
 * - `prepare`: everything trusts the roots of the next authority as well;
 * - `activate`: istiod signs with the next one, and everything has itself certified anew;
 * - `retire`: nothing trusts the earlier one any more.
 *
 * Up to `retire` it can be turned back: then the earlier authority is the next one. Rules from Istio's source
 * (pilot/pkg/bootstrap: istio_ca.go, certcontroller.go; pilot/pkg/trustbundle; security/pkg/nodeagent/cache).
 */
import { X509Certificate } from "node:crypto";
import { fingerprint, splitChain } from "./certificates";
import { digest } from "./digest";
import { pemBlocks } from "./pem";

export const ROTATION_STEPS = ["prepare", "activate", "retire"] as const;
export type RotationStep = (typeof ROTATION_STEPS)[number];

/** Of an authority that the stack makes: which root it is, and which intermediate under that. */
export interface Generation {
  root: number;
  intermediate: number;
}

/** `1.1`, for one that the stack makes. */
export const generationName = ({ root, intermediate }: Generation) => `${root}.${intermediate}`;

/** The generation of that name; undefined for an authority of the user's own. */
export function generationOf(name: string): Generation | undefined {
  const [, root, intermediate] = /^(\d+)\.(\d+)$/.exec(name) ?? [];
  return root === undefined ? undefined : { root: Number(root), intermediate: Number(intermediate) };
}

/** The key of a certificate, in a few digits: a certificate that is made anew for the same key is the same authority. */
export const keyDigest = (pem: string) =>
  digest(new X509Certificate(pem).publicKey.export({ type: "spki", format: "pem" }) as string);

/** The name of an authority that the stack does not make, by the digest of its key. */
export const keyName = (ofKey: string) => `key-${ofKey}`;

/** The same, by its certificate. */
export const providedName = (caCert: string) => keyName(keyDigest(caCert));

/** The authorities of a mesh, by name. */
export interface Authorities {
  /** All whose certificates are believed, the earliest first. */
  known: string[];
  /** The one that istiod signs with. */
  signer: string;
}

/** The same in a few words, which differ if anything has moved. */
export const authoritiesText = ({ known, signer }: Authorities) => `${signer} of ${known.join(" ")}`;

/** The next step to the authority that is wanted, if there is one before `until`, and that too. */
export function nextStep(
  { known, signer }: Authorities,
  wanted: string,
  until: RotationStep,
): RotationStep | undefined {
  const step = !known.includes(wanted) ? "prepare" : signer !== wanted ? "activate" : "retire";
  if (step === "retire" && known.length === 1) return undefined;
  return ROTATION_STEPS.indexOf(step) <= ROTATION_STEPS.indexOf(until) ? step : undefined;
}

/** What there is after that step. */
export function after({ known, signer }: Authorities, step: RotationStep, wanted: string): Authorities {
  if (step === "prepare") return { known: [...known, wanted], signer };
  return step === "activate" ? { known, signer: wanted } : { known: [wanted], signer: wanted };
}

/**
 * What the mesh trusts: the roots of all that are known. Those that it trusts already stay as they are, in their order:
 * until 1.29 istiod takes other roots only if either text is a part of the other.
 *
 * @param trusted what it trusts now, in PEM
 */
export function trustedRoots({ known }: Authorities, trusted: string, wanted: string): string {
  if (known.length === 1) return wanted;
  const there = certificateSet(trusted);
  const further = splitChain(wanted).filter((root) => !there.has(fingerprint(root)));
  const ended = further.length === 0 || trusted.endsWith("\n") ? trusted : `${trusted}\n`;
  return ended + further.map((root) => `${root}\n`).join("");
}

/** The certificates of a text, as a set. */
export const certificateSet = (pem: string) => new Set(splitChain(pem).map(fingerprint));

/** Of the roots that a mesh trusts and the key that signs, in a few digits: not of their certificates' lives. */
export const authorityDigest = (roots: string, signer: string) =>
  digest([...certificateSet(roots), keyDigest(signer)].sort().join());

/** What a proxy has, as far as it tells. */
export interface ProxyTrust {
  /** As istiod calls it: `sleep-1.default`, `vm1.vm`. */
  proxy: string;
  /** The roots that it believes, in PEM. */
  roots?: string;
  /** Its certificate and the issuers of that, in PEM. */
  certChain?: string;
  /** Of a host: what it was sent to prove its identity, and the issuers of that. */
  sentChain?: string;
  /** The revocation lists by which it checks others; undefined if it checks none. */
  lists?: string;
  /** Why nothing is known of it. */
  problem?: string;
}

/** What every proxy must have before there can be another step. */
export interface Settlement {
  /** The roots that the mesh trusts, in PEM. */
  roots: string;
  /** Whether it trusts no other. */
  exact: boolean;
  /** The certificate of the authority that signs. */
  signer: string;
  /** Whether hosts must have been sent their identities by that. */
  sends: boolean;
  /** The revocation lists of the mesh, if any: who checks lists at all refuses all CAs of which it has none. */
  lists?: string;
}

/** What a proxy lacks, the end of a sentence; undefined if it lacks nothing. */
export function lacking(
  proxy: ProxyTrust,
  { roots, exact, signer, sends, lists = "" }: Settlement,
): string | undefined {
  const { problem, certChain, sentChain } = proxy;
  if (problem !== undefined) return problem;
  const [wanted, has] = [certificateSet(roots), certificateSet(proxy.roots ?? "")];
  if ([...wanted].some((root) => !has.has(root))) return "does not trust the new root yet";
  if (exact && has.size > wanted.size) return "still trusts the earlier root";
  const unlisted = lackingLists(proxy.lists, lists);
  if (unlisted !== undefined) return unlisted;
  if (!isIssuedBy(certChain, signer)) return "has a certificate of the other authority";
  if (sends && sentChain !== undefined && !isIssuedBy(sentChain, signer)) {
    return "has been sent an identity of the other authority";
  }
  return undefined;
}

const listSet = (text: string) => new Set(pemBlocks(text).map(({ pem }) => pem));

/** What it lacks of the mesh's revocation lists. */
function lackingLists(has: string | undefined, wanted: string): string | undefined {
  if (has === undefined) return undefined;
  const [there, all] = [listSet(has), listSet(wanted)];
  if ([...all].some((list) => !there.has(list))) return "does not have the new revocation lists yet";
  return all.size === 0 && there.size > 0 ? "still has revocation lists, of the earlier CAs only" : undefined;
}

/** Whether the issuer that comes with a certificate has that authority's key. */
function isIssuedBy(chain: string | undefined, authority: string): boolean {
  const [, issuer] = splitChain(chain ?? "");
  return issuer !== undefined && keyDigest(issuer) === keyDigest(authority);
}

/** A mesh config that istiod reads beside its own (SHARED_MESH_CONFIG), for what follows. */
export const TRUST_CONFIG = "istio-vm-trust";

/**
 * What makes every agent have itself certified anew, at once (PROXY_CONFIG_XDS_AGENT): one of the roots that it trusts
 * already, as a text that is another one. A change of the authority that signs alone does not do it.
 */
export function trustConfig(root: string, occasion: string): string {
  const lines = [...root.trim().split("\n"), `# ${occasion}`];
  return ["caCertificates:", "- pem: |", ...lines.map((line) => `    ${line}`), ""].join("\n");
}
