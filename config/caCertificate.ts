/** Whether a certificate by itself can be one of a mesh's CA: as Go (istiod, the agents) and BoringSSL (Envoy) judge. */
import type { X509Certificate } from "node:crypto";
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { inspectCertificate } from "../mesh/certificates";
import { INSTEAD, kindProblem } from "./caKey";

export const nameOf = ({ subject }: X509Certificate) => JSON.stringify(subject.replaceAll("\n", ", "));

/** Both sides of mTLS ask for theirs. Go takes "any" for them, BoringSSL does not. */
const BOTH_SIDES: string[] = [x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth];
/**
 * Extensions that both know (Go's processExtensions, BoringSSL's X509_supported_extension): uses, names and constraints
 * of this certificate, and policies.
 */
const KNOWN = [15, 17, 19, 30, 32, 33, 36, 37, 54].map((last) => `2.5.29.${last}`);

/** Whether its keyUsage, if it has one, allows to sign certificates. */
function hasCertSign(certificate: x509.X509Certificate): boolean {
  const { keyCertSign } = x509.KeyUsageFlags;
  const { usages = keyCertSign } = certificate.getExtension(x509.KeyUsagesExtension) ?? {};
  return (usages & keyCertSign) !== 0;
}

/** Whether `issuer` has signed `certificate`. */
export function signs(issuer: X509Certificate, certificate: X509Certificate): boolean {
  try {
    // OpenSSL takes one that may not sign for no issuer; of that there is a line of its own.
    const isNamed = certificate.issuer === issuer.subject && !hasCertSign(new x509.X509Certificate(issuer.toString()));
    return (isNamed || certificate.checkIssued(issuer)) && certificate.verify(issuer.publicKey);
  } catch {
    return false; // of another kind of key than the signature
  }
}

/** What its extensions do not allow. One that is absent allows everything. */
function extensionProblems(certificate: x509.X509Certificate): string[] {
  const sides = certificate.getExtension(x509.ExtendedKeyUsageExtension)?.usages.map(String) ?? BOTH_SIDES;
  const unknown = certificate.extensions.filter(({ critical, type }) => critical && !KNOWN.includes(type));
  return [
    ...(hasCertSign(certificate)
      ? []
      : ["may not sign certificates: have it issued anew with keyCertSign in its keyUsage"]),
    ...(BOTH_SIDES.every((usage) => sides.includes(usage))
      ? []
      : [
          "is not for mTLS: have it issued anew with serverAuth and clientAuth in its extendedKeyUsage, or without that",
        ]),
    ...unknown.map(
      ({ type }) => `has a critical extension that Istio does not know: have it issued anew without ${type}`,
    ),
  ];
}

/** Bytes of the digests that Go knows in signatures (crypto/x509, signatureAlgorithmDetails; SHA-1 no more). */
const DIGESTS: Record<string, number> = { "SHA-256": 32, "SHA-384": 48, "SHA-512": 64 };
const MD5_WITH_RSA = "1.2.840.113549.1.1.4";

/** A signature that Go does not verify, though OpenSSL does. Of PSS it wants a salt as long as the digest. */
function signatureProblems({ signatureAlgorithm }: x509.X509Certificate): string[] {
  const { name, hash, saltLength } = signatureAlgorithm as Algorithm & { hash?: Algorithm; saltLength?: number };
  const length = DIGESTS[hash?.name ?? ""];
  if (name === "Ed25519" || (length !== undefined && length === (saltLength ?? length))) return [];
  const digest = hash?.name ?? (name === MD5_WITH_RSA ? "MD5" : name);
  const how = saltLength === undefined ? digest : `${name}, ${digest} and a salt of ${saltLength} bytes`;
  return [`is signed with ${how}, which Istio does not verify: have it issued anew with SHA-256`];
}

function keyProblems(certificate: X509Certificate): string[] {
  try {
    const problem = kindProblem(certificate.publicKey);
    return problem === undefined ? [] : [`has a key ${problem}`];
  } catch {
    return [`has a key that can't be read: ${INSTEAD}`];
  }
}

/** What keeps a certificate from being a CA now, each as the end of a sentence. A root's signature nobody looks at. */
export function caProblems(certificate: X509Certificate, now: Date, { isRoot = false } = {}): string[] {
  const pem = certificate.toString();
  const parsed = new x509.X509Certificate(pem);
  const { isCa, notBefore, notAfter } = inspectCertificate(pem);
  return [
    ...(isCa ? [] : ["is no CA: it may not sign certificates"]),
    ...extensionProblems(parsed),
    ...keyProblems(certificate),
    ...(isRoot ? [] : signatureProblems(parsed)),
    ...(notAfter > now ? [] : [`ended on ${notAfter.toISOString()}`]),
    ...(notBefore <= now ? [] : [`begins only on ${notBefore.toISOString()}`]),
  ].map((problem) => `${nameOf(certificate)} ${problem}`);
}
