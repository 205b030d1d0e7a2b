import { X509Certificate as NodeCertificate } from "node:crypto";
import "reflect-metadata";
import { CodedError } from "./codes";
import { isCutOff, pemBlocks } from "./pem";
import { BasicConstraintsExtension, SubjectAlternativeNameExtension, X509Certificate } from "@peculiar/x509";

/** What the program asserts about a certificate after its issue. */
export interface CertificateFacts {
  subject: string;
  isCa: boolean;
  /** How many CAs may stand below this one; undefined: no limit. */
  pathLength?: number;
  /** URI subject alternative names; a workload certificate has exactly one, its SPIFFE ID. */
  uris: string[];
  notBefore: Date;
  notAfter: Date;
}

/** Reads the first certificate of a PEM text. */
export function inspectCertificate(pem: string): CertificateFacts {
  const certificate = new X509Certificate(pem);
  const constraints = certificate.getExtension(BasicConstraintsExtension);
  const names = certificate.getExtension(SubjectAlternativeNameExtension)?.names.toJSON() ?? [];
  return {
    subject: certificate.subject,
    isCa: constraints?.ca ?? false,
    pathLength: constraints?.pathLength,
    uris: names.filter((name) => name.type === "url").map((name) => name.value),
    notBefore: certificate.notBefore,
    notAfter: certificate.notAfter,
  };
}

/** SHA-256 of the first certificate of a PEM text, `AB:CD:...`. */
export function fingerprint(pem: string): string {
  return new NodeCertificate(pem).fingerprint256;
}

/** The certificates of a PEM text, each by itself. */
export function splitChain(pem: string): string[] {
  return pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
}

/** What a text must be that is not certificates in PEM alone; undefined if it is. No key is part of the words. */
export function wantedOfCertificates(text: string): string | undefined {
  const wanted = "a certificate in PEM";
  const blocks = pemBlocks(text);
  if (text.includes("PRIVATE KEY") || (blocks.length === 0 && !isCutOff(text))) return wanted;
  if (isCutOff(text)) return `${wanted}, and this one is cut off: its first or its last line is missing`;
  const other = blocks.find(({ label }) => label !== "CERTIFICATE");
  if (other !== undefined) return `${wanted}, and nothing else: "${other.label}" is none`;
  const damaged = blocks.findIndex(({ pem }) => !isCertificate(pem));
  return damaged === -1 ? undefined : `${wanted}, and number ${damaged + 1} of this text is damaged`;
}

function isCertificate(pem: string): boolean {
  try {
    return fingerprint(pem) !== "";
  } catch {
    return false;
  }
}

/**
 * The certificates of a text in the form in which they go to the cluster and to hosts: in their order, each once, and
 * nothing around them. istiod puts such texts one behind the other, where one without a last newline would spoil two.
 */
export function normalCertificates(text: string): string {
  return [...new Set(pemBlocks(text).map(({ pem }) => pem))].join("");
}

/**
 * Returns `pem` if it may sign exactly one level of CAs below itself (path length 1), so that nothing below the
 * intermediate can be a CA; throws otherwise.
 */
export function assertRoot(pem: string): string {
  const { subject, isCa, pathLength } = inspectCertificate(pem);
  if (!isCa || pathLength !== 1) {
    const found = isCa ? `one of path length ${pathLength ?? "unlimited"}` : "no CA";
    throw new CodedError("IVM403", `the root certificate "${subject}" must be a CA of path length 1, but is ${found}`);
  }
  return pem;
}

/** Returns `pem` if it is an end-entity certificate whose only URI SAN is `spiffeId`; throws otherwise. */
export function assertWorkload(pem: string, spiffeId: string): string {
  const { isCa, uris } = inspectCertificate(pem);
  if (isCa) throw new CodedError("IVM407", `the certificate of ${spiffeId} must not be a CA`);
  if (uris.length !== 1 || uris[0] !== spiffeId) {
    throw new CodedError(
      "IVM407",
      `the certificate of ${spiffeId} must have that one URI SAN, but has ${uris.join(", ") || "none"}`,
    );
  }
  return pem;
}
