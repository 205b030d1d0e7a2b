import { X509Certificate as NodeCertificate } from "node:crypto";
import "reflect-metadata";
import { CodedError } from "./codes";
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

/** Whether a PEM text holds certificates and no key. */
export function isCertificates(pem: string): boolean {
  const chain = splitChain(pem);
  try {
    return chain.length > 0 && chain.every(fingerprint) && !pem.includes("PRIVATE KEY");
  } catch {
    return false;
  }
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
