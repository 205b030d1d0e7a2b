/** Throw-away certificates with a real chain: root, intermediate, hosts. */
import { createPrivateKey } from "node:crypto";
import "reflect-metadata";
import * as x509 from "@peculiar/x509";

const EC = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

/** A certificate with its key, which can sign others. */
export interface Issued {
  pem: string;
  subject: string;
  keys: CryptoKeyPair;
}

export interface Wanted {
  /** Default: empty, as istiod leaves it. */
  subject?: string;
  /** Default: it signs itself. */
  issuer?: Issued;
  ca?: boolean;
  pathLength?: number;
  uris?: string[];
  /** Validity, as dates are written. Default: the year 2026. */
  from?: string;
  to?: string;
  /** Default: new ones. */
  keys?: CryptoKeyPair;
}

export async function issue({
  subject = "",
  issuer,
  ca = false,
  pathLength,
  uris = [],
  from = "2026-01-01T00:00:00Z",
  to = "2027-01-01T00:00:00Z",
  keys: given,
}: Wanted): Promise<Issued> {
  const keys = given ?? (await crypto.subtle.generateKey(EC, true, ["sign", "verify"]));
  const signer = issuer ?? { subject, keys };
  const certificate = await x509.X509CertificateGenerator.create({
    subject,
    issuer: signer.subject,
    notBefore: new Date(from),
    notAfter: new Date(to),
    publicKey: keys.publicKey,
    signingKey: signer.keys.privateKey,
    signingAlgorithm: EC,
    extensions: [
      new x509.BasicConstraintsExtension(ca, pathLength, true),
      ...(uris.length === 0
        ? []
        : [new x509.SubjectAlternativeNameExtension(uris.map((value) => ({ type: "url" as const, value })))]),
    ],
  });
  return { pem: `${certificate.toString("pem")}\n`, subject, keys };
}

/** A CA of elsewhere, by its certificate and its key. */
export async function issuerOf(certificate: string, key: string): Promise<Issued> {
  const { subject, publicKey } = new x509.X509Certificate(certificate);
  const bytes = createPrivateKey(key).export({ type: "pkcs8", format: "der" });
  const privateKey = await crypto.subtle.importKey("pkcs8", new Uint8Array(bytes), EC, false, ["sign"]);
  return { pem: certificate, subject, keys: { privateKey, publicKey: await publicKey.export() } };
}

/** The private key, as PKCS#8. */
export async function keyOf({ keys }: Issued): Promise<string> {
  const bytes = Buffer.from(await crypto.subtle.exportKey("pkcs8", keys.privateKey));
  return createPrivateKey({ key: bytes, type: "pkcs8", format: "der" }).export({
    type: "pkcs8",
    format: "pem",
  }) as string;
}

export const spiffe = (account: string) => `spiffe://cluster.local/ns/vm/sa/${account}`;

/** A day's certificate, as istiod gives it to a host's agent; six hours old at noon of 2026-06-01. */
export const ofHost = (issuer: Issued, changes: Wanted = {}) =>
  issue({ issuer, uris: [spiffe("default")], from: "2026-06-01T06:00:00Z", to: "2026-06-02T06:00:00Z", ...changes });

async function make() {
  const root = await issue({ subject: "CN=Root CA", ca: true, pathLength: 1 });
  const intermediate = await issue({ subject: "CN=Intermediate", issuer: root, ca: true });
  const sent = await ofHost(intermediate, { from: "2026-05-01T00:00:00Z", to: "2026-09-01T12:00:00Z" });
  return { root, intermediate, host: await ofHost(intermediate), sent };
}

/** The CA of the healthy mesh, the certificate of its hosts, and the one that they were sent. */
export const pki = make();
