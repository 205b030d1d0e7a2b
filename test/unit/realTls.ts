/** What the tls provider answers, with real keys: its certificates are signed by whom they say. */
import { createPrivateKey, createPublicKey, KeyObject } from "node:crypto";
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import * as pulumi from "@pulumi/pulumi";
import { type Outputs, type Registered, Secret } from "./support";

const EC = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const HOUR = 3_600_000;

interface Request {
  subject: string;
  publicKey: string;
  uris: string[];
}

const plain = (value: unknown): unknown => (value instanceof Secret ? value.value : value);
const text = (value: unknown) => plain(value) as string;

const dn = ({ organization, commonName }: { organization?: string; commonName?: string }) =>
  [organization && `O=${organization}`, commonName && `CN=${commonName}`].filter(Boolean).join(", ");

/** The keys of a PEM text, for signing. */
async function importKey(pem: string): Promise<CryptoKey> {
  const bytes = createPrivateKey(pem).export({ type: "pkcs8", format: "der" });
  return crypto.subtle.importKey("pkcs8", new Uint8Array(bytes), EC, true, ["sign"]);
}
async function importPublicKey(pem: string): Promise<CryptoKey> {
  const bytes = createPublicKey(pem).export({ type: "spki", format: "der" });
  return crypto.subtle.importKey("spki", new Uint8Array(bytes), EC, true, ["verify"]);
}
const publicPem = (key: string) => createPublicKey(key).export({ type: "spki", format: "pem" }) as string;

/** As Go makes it: with the key identifiers of both. */
async function sign(
  { inputs }: Registered,
  { subject, publicKey, uris }: Request,
  issuer: { subject: string; key: string },
): Promise<string> {
  const key = await importPublicKey(publicKey);
  const constraints = new x509.BasicConstraintsExtension(
    inputs.isCaCertificate === true,
    inputs.maxPathLength as number | undefined,
    true,
  );
  const names = new x509.SubjectAlternativeNameExtension(uris.map((value) => ({ type: "url" as const, value })));
  const made = await x509.X509CertificateGenerator.create({
    subject,
    issuer: issuer.subject,
    notBefore: new Date(),
    notAfter: new Date(Date.now() + (inputs.validityPeriodHours as number) * HOUR),
    publicKey: key,
    signingKey: await importKey(issuer.key),
    signingAlgorithm: EC,
    extensions: [
      constraints,
      await x509.SubjectKeyIdentifierExtension.create(key),
      await x509.AuthorityKeyIdentifierExtension.create(await importPublicKey(publicPem(issuer.key))),
      ...(uris.length > 0 ? [names] : []),
    ],
  });
  return `${made.toString("pem")}\n`;
}

/**
 * @param kept keys and roots that were made, by the names of their resources, as the state keeps them for the next update;
 * other certificates are made anew each time
 */
export const realTls =
  (kept = new Map<string, string>()): Outputs =>
  async (resource) => {
    const { type, name, inputs } = resource;
    switch (type) {
      case "tls:index/privateKey:PrivateKey": {
        if (!kept.has(name)) {
          const { privateKey } = await crypto.subtle.generateKey(EC, true, ["sign", "verify"]);
          kept.set(name, KeyObject.from(privateKey).export({ type: "pkcs8", format: "pem" }) as string);
        }
        return { privateKeyPem: pulumi.secret(kept.get(name)!) };
      }
      case "tls:index/certRequest:CertRequest": {
        const request: Request = {
          subject: dn(inputs.subject as object),
          publicKey: publicPem(text(inputs.privateKeyPem)),
          uris: (inputs.uris ?? []) as string[],
        };
        return { certRequestPem: JSON.stringify(request) };
      }
      case "tls:index/selfSignedCert:SelfSignedCert": {
        const key = text(inputs.privateKeyPem);
        const subject = dn(inputs.subject as object);
        const request: Request = { subject, publicKey: publicPem(key), uris: [] };
        if (!kept.has(name)) kept.set(name, await sign(resource, request, { subject, key }));
        return { certPem: kept.get(name) };
      }
      case "tls:index/locallySignedCert:LocallySignedCert": {
        const { subject } = new x509.X509Certificate(text(inputs.caCertPem));
        const request = JSON.parse(text(inputs.certRequestPem)) as Request;
        return { certPem: await sign(resource, request, { subject, key: text(inputs.caPrivateKeyPem) }) };
      }
      default:
        return {};
    }
  };
