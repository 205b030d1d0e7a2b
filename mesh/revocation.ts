/**
 * Certificates that sidecars believe no more before their end: those that hosts were sent which are gone or have left, in
 * revocation lists of the CAs that the stack makes. Istio hands `ca-crl.pem` of the secret cacerts on to pods from 1.27 on.
 *
 * Envoy wants a list of every CA of a chain, the root's too, as soon as it has any (envoy.extensions.transport_sockets.tls.v3,
 * CertificateValidationContext.crl), and takes none that begins later or has ended: so each CA has one, from the CA's own
 * begin on and without an end.
 */
import { createPrivateKey, type KeyObject } from "node:crypto";
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { splitChain } from "./certificates";
import { pemBlock, pemBlocks } from "./pem";
import { keyDigest } from "./rotation";

/** The first version of Istio that takes lists. */
export const LISTS_SINCE = "1.27";

/** The ConfigMap in istio-system that says what hosts were sent. */
export const ISSUED = "istio-vm-issued";

/** A certificate that a host was sent. */
export interface IssuedCertificate {
  host: string;
  /** Hexadecimal. */
  serial: string;
  /** The digest of the key that signed it. */
  issuer: string;
  notAfter: Date;
}

/** @param certChain the certificate and its issuers */
export function issuedCertificate(host: string, certChain: string): IssuedCertificate {
  const [certificate, issuer] = splitChain(certChain);
  const { serialNumber: serial, notAfter } = new x509.X509Certificate(certificate!);
  return { host, serial, issuer: keyDigest(issuer!), notAfter };
}

/** As data of a ConfigMap, which remembers those too whose certificates the stack does not have any more. */
export const issuedData = (all: IssuedCertificate[]): Record<string, string> =>
  Object.fromEntries(
    all.map(({ host, serial, issuer, notAfter }) => [serial, `${host} ${issuer} ${notAfter.toISOString()}`]),
  );

export const issuedIn = (data: Record<string, string>): IssuedCertificate[] =>
  Object.entries(data).map(([serial, words]) => {
    const [host = "", issuer = "", notAfter = ""] = words.split(" ");
    return { host, serial, issuer, notAfter: new Date(notAfter) };
  });

/** What has no end ends then (RFC 5280, 4.1.2.5). */
const NEVER = new Date("9999-12-31T23:59:59Z");

/** As OpenSSL calls it in PEM, and Envoy wants it. */
const LIST = "X509 CRL";

/** A CA that the stack makes, in PEM. */
export interface ListingAuthority {
  certificate: string;
  key: string;
}

/** The lists of these CAs, as PEM blocks; one that `present` has and that says the same stays as it is. */
export async function revocationLists(
  authorities: ListingAuthority[],
  revoked: IssuedCertificate[],
  present: string,
): Promise<string> {
  const earlier = listsIn(present);
  const lists = await Promise.all(
    authorities.map(async ({ certificate, key }) => {
      const authority = new x509.X509Certificate(certificate);
      const issuer = keyDigest(certificate);
      const serials = revoked.filter((one) => one.issuer === issuer).map(({ serial }) => serial);
      const before = await ofAuthority(earlier, authority);
      return before !== undefined && isOf(before, serials) ? before : signList(authority, key, serials, before);
    }),
  );
  return lists.map((list) => pemBlock(LIST, list.toString("base64"))).join("");
}

/** Whether one of these lists has a serial number. */
export function isListedIn(lists: string): (serial: string) => boolean {
  const all = listsIn(lists);
  return (serial) => all.some((list) => list.findRevoked(serial));
}

const listsIn = (text: string) =>
  pemBlocks(text)
    .filter(({ label }) => label === LIST)
    .map(({ pem }) => new x509.X509Crl(pem));

/** The one that it has signed itself. */
async function ofAuthority(lists: x509.X509Crl[], { publicKey }: x509.X509Certificate) {
  for (const list of lists) if (await list.verify({ publicKey })) return list;
  return undefined;
}

const isOf = (list: x509.X509Crl, serials: string[]) =>
  list.entries.length === serials.length && serials.every((serial) => list.findRevoked(serial));

async function signList(
  authority: x509.X509Certificate,
  key: string,
  serials: string[],
  before: x509.X509Crl | undefined,
): Promise<x509.X509Crl> {
  const { signingKey, signingAlgorithm } = await forSigning(createPrivateKey(key));
  const keyId = authority.getExtension(x509.SubjectKeyIdentifierExtension)?.keyId;
  return x509.X509CrlGenerator.create({
    issuer: authority.subjectName,
    thisUpdate: authority.notBefore,
    nextUpdate: NEVER,
    entries: serials.map((serialNumber) => ({
      serialNumber,
      revocationDate: before?.findRevoked(serialNumber)?.revocationDate ?? new Date(),
      reason: x509.X509CrlReason.cessationOfOperation,
    })),
    extensions: keyId === undefined ? [] : [new x509.AuthorityKeyIdentifierExtension(keyId)],
    signingKey,
    signingAlgorithm,
  });
}

/** A key as the library takes it, and with which hash it signs: as Go's crypto/x509 chooses it for a CA's certificates. */
async function forSigning(key: KeyObject) {
  const { namedCurve } = key.asymmetricKeyDetails ?? {};
  const signingAlgorithm =
    key.asymmetricKeyType === "rsa"
      ? { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" }
      : namedCurve === "secp384r1"
        ? { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" }
        : { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const der = new Uint8Array(key.export({ type: "pkcs8", format: "der" }));
  return {
    signingAlgorithm,
    signingKey: await crypto.subtle.importKey("pkcs8", der, signingAlgorithm, false, ["sign"]),
  };
}
