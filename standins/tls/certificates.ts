/** Certificates and certificate requests, with the extensions that the real provider (Go's crypto/x509) writes. */
import "reflect-metadata"; // @peculiar/x509 asks for it, and it must come first.
import { KeyObject, randomBytes } from "node:crypto";
import * as x509 from "@peculiar/x509";
import { signingKeys } from "./keys";

export interface Subject {
  organization?: string;
  commonName?: string;
}

/** The inputs that self-signed and locally signed certificates share. */
export interface CertificateInputs {
  validityPeriodHours: number;
  allowedUses: string[];
  isCaCertificate: boolean;
  maxPathLength?: number;
  setSubjectKeyId: boolean;
}

export interface IssuedCertificate {
  /** The serial number, in decimal. */
  id: string;
  certPem: string;
  notBefore: Date;
  notAfter: Date;
}

const KEY_USAGES: Record<string, x509.KeyUsageFlags> = {
  digital_signature: x509.KeyUsageFlags.digitalSignature,
  key_encipherment: x509.KeyUsageFlags.keyEncipherment,
  cert_signing: x509.KeyUsageFlags.keyCertSign,
  crl_signing: x509.KeyUsageFlags.cRLSign,
};

const EXTENDED_KEY_USAGES: Record<string, string> = {
  server_auth: "1.3.6.1.5.5.7.3.1",
  client_auth: "1.3.6.1.5.5.7.3.2",
};

/** The values of `allowedUses` that are implemented. */
export const ALLOWED_USES = [...Object.keys(KEY_USAGES), ...Object.keys(EXTENDED_KEY_USAGES)];

/** A request for `subject` and URIs, signed with its own key; in PEM. */
export async function createRequest(key: KeyObject, subject: Subject, uris: string[]): Promise<string> {
  const { keys, algorithm } = await signingKeys(key);
  const name = distinguishedName(subject);
  const names = uris.map((value) => ({ type: "url" as const, value }));
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name,
    keys,
    signingAlgorithm: algorithm,
    // Critical if the subject says nothing.
    extensions: names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names, isEmpty(name))],
  });
  return `${request.toString("pem")}\n`;
}

/** A certificate that its own key signs. */
export async function createSelfSigned(
  key: KeyObject,
  subject: Subject,
  inputs: CertificateInputs,
): Promise<IssuedCertificate> {
  const { keys, algorithm } = await signingKeys(key);
  const name = distinguishedName(subject);
  return issue({
    subject: name,
    issuer: name,
    publicKey: new x509.PublicKey(await crypto.subtle.exportKey("spki", keys.publicKey)),
    signingKey: keys.privateKey,
    algorithm,
    names: [],
    authorityKeyId: undefined,
    inputs,
  });
}

/** A certificate for a request (its subject, names and key), signed by a CA. */
export async function createLocallySigned(
  requestPem: string,
  caCertPem: string,
  caKey: KeyObject,
  inputs: CertificateInputs,
): Promise<IssuedCertificate> {
  const request = parse("certRequestPem", "certificate request", () => new x509.Pkcs10CertificateRequest(requestPem));
  const authority = parse("caCertPem", "certificate", () => new x509.X509Certificate(caCertPem));
  const { keys, algorithm } = await signingKeys(caKey);
  const caPublicKey = await crypto.subtle.exportKey("spki", keys.publicKey);
  if (!Buffer.from(authority.publicKey.rawData).equals(Buffer.from(caPublicKey))) {
    throw new Error("Failed to create certificate: caPrivateKeyPem is not the key of caCertPem");
  }
  const requested = request.extensions.find((extension) => extension instanceof x509.SubjectAlternativeNameExtension);
  const names = requested
    ? [new x509.SubjectAlternativeNameExtension(requested.names.toJSON(), isEmpty(request.subjectName))]
    : [];
  // As in Go: the authority's key id, if it has one, unless the certificate names itself as its issuer.
  const selfIssued = Buffer.from(request.subjectName.toArrayBuffer()).equals(
    Buffer.from(authority.subjectName.toArrayBuffer()),
  );
  return issue({
    subject: request.subjectName,
    issuer: authority.subjectName,
    publicKey: request.publicKey,
    signingKey: keys.privateKey,
    algorithm,
    names,
    authorityKeyId: selfIssued ? undefined : authority.getExtension(x509.SubjectKeyIdentifierExtension)?.keyId,
    inputs,
  });
}

interface Template {
  subject: x509.Name;
  issuer: x509.Name;
  publicKey: x509.PublicKey;
  signingKey: CryptoKey;
  algorithm: { name: string };
  names: x509.Extension[];
  authorityKeyId: string | undefined;
  inputs: CertificateInputs;
}

async function issue(template: Template): Promise<IssuedCertificate> {
  const { inputs, publicKey, authorityKeyId } = template;
  if (inputs.isCaCertificate && isEmpty(template.subject)) {
    throw new Error("Invalid Certificate Subject: a certificate authority needs at least one name in its subject");
  }
  if (!inputs.isCaCertificate && (inputs.maxPathLength ?? 0) > 0) {
    throw new Error("Failed to create certificate: x509: only CAs are allowed to specify MaxPathLen");
  }
  const serialNumber = randomBytes(16).toString("hex");
  const notBefore = new Date();
  const notAfter = new Date(notBefore.getTime() + inputs.validityPeriodHours * 3_600_000);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber,
    notBefore,
    notAfter,
    subject: template.subject,
    issuer: template.issuer,
    publicKey,
    signingKey: template.signingKey,
    signingAlgorithm: template.algorithm,
    extensions: [
      ...usages(inputs.allowedUses),
      // As in Go without MaxPathLenZero, 0 means no limit.
      new x509.BasicConstraintsExtension(inputs.isCaCertificate, pathLength(inputs), true),
      ...(hasKeyId(inputs) ? [new x509.SubjectKeyIdentifierExtension(await subjectKeyId(publicKey))] : []),
      ...(authorityKeyId ? [new x509.AuthorityKeyIdentifierExtension(authorityKeyId)] : []),
      ...template.names,
    ],
  });
  return {
    id: BigInt(`0x${serialNumber}`).toString(),
    certPem: `${certificate.toString("pem")}\n`,
    notBefore,
    notAfter,
  };
}

const hasKeyId = (inputs: CertificateInputs): boolean => inputs.isCaCertificate || inputs.setSubjectKeyId;

const pathLength = ({ maxPathLength = 0 }: CertificateInputs): number | undefined =>
  maxPathLength > 0 ? maxPathLength : undefined;

function usages(allowedUses: string[]): x509.Extension[] {
  const flags = allowedUses.reduce((all, use) => all | (KEY_USAGES[use] ?? 0), 0);
  const extended = allowedUses.flatMap((use) => EXTENDED_KEY_USAGES[use] ?? []);
  return [
    ...(flags === 0 ? [] : [new x509.KeyUsagesExtension(flags, true)]),
    ...(extended.length === 0 ? [] : [new x509.ExtendedKeyUsageExtension(extended)]),
  ];
}

/** SHA-1 of the key's bits, in hexadecimal (RFC 5280, 4.2.1.2, method 1). */
async function subjectKeyId(publicKey: x509.PublicKey): Promise<string> {
  return Buffer.from(await publicKey.getKeyIdentifier()).toString("hex");
}

/** Attributes in Go's order (pkix.Name.ToRDNSequence). */
function distinguishedName({ organization, commonName }: Subject): x509.Name {
  return new x509.Name([
    ...(organization ? [{ O: [organization] }] : []),
    ...(commonName ? [{ CN: [commonName] }] : []),
  ]);
}

const isEmpty = (name: x509.Name): boolean => name.toJSON().length === 0;

function parse<T>(input: string, what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new Error(`${input} is not a ${what} in PEM form: ${(error as Error).message}`, { cause: error });
  }
}
