/** The stand-in for the tls provider: PrivateKey, CertRequest, SelfSignedCert and LocallySignedCert. */
import { createHash, createPublicKey } from "node:crypto";
import { CheckError } from "../errors";
import { generatedResource, Generator } from "../generated";
import type { Fields } from "../inputs";
import { Provider, ResourceType, serve } from "../provider";
import { hasUnknown, Obj } from "../values";
import { versions } from "../versions";
import {
  ALLOWED_USES,
  AlternativeNames,
  CertificateInputs,
  createLocallySigned,
  createRequest,
  createSelfSigned,
  IssuedCertificate,
  Subject,
} from "./certificates";
import {
  CURVES,
  fingerprints,
  generateKey,
  KeyAlgorithm,
  keyAlgorithm,
  parsePrivateKey,
  privateKeyOpenssh,
  privateKeyPem,
  publicKeyOpenssh,
  RSA_BITS,
} from "./keys";

export const privateKey = generatedResource({
  fields: { algorithm: ["ECDSA", "RSA", "ED25519"], ecdsaCurve: "string", rsaBits: "integer" },
  required: ["algorithm"],
  defaults: { ecdsaCurve: "P224", rsaBits: 2048 },
  outputs: [
    "privateKeyPem",
    "privateKeyOpenssh",
    "privateKeyPemPkcs8",
    "publicKeyPem",
    "publicKeyOpenssh",
    "publicKeyFingerprintMd5",
    "publicKeyFingerprintSha256",
  ],
  secrets: ["privateKeyPem", "privateKeyOpenssh", "privateKeyPemPkcs8"],
  check({ algorithm, ecdsaCurve, rsaBits }) {
    if (algorithm === "ECDSA" && !hasUnknown(ecdsaCurve) && !((ecdsaCurve as string) in CURVES)) {
      refuse(
        "ecdsaCurve",
        `must be ${Object.keys(CURVES).join(" or ")}: the lab's stand-in has no ${ecdsaCurve as string}`,
      );
    }
    if (algorithm === "RSA" && !hasUnknown(rsaBits) && !RSA_BITS.includes(rsaBits as number)) {
      refuse("rsaBits", `must be ${RSA_BITS.join(" or ")} for the lab's stand-in`);
    }
  },
  generate(inputs) {
    const { algorithm, ecdsaCurve, rsaBits } = inputs as unknown as PrivateKeyInputs;
    const key = generateKey(algorithm, ecdsaCurve, rsaBits);
    const publicKey = createPublicKey(key);
    const { md5, sha256 } = fingerprints(key);
    return Promise.resolve({
      id: createHash("sha1")
        .update(publicKey.export({ type: "spki", format: "der" }))
        .digest("hex"),
      outputs: {
        privateKeyPem: privateKeyPem(key),
        privateKeyOpenssh: privateKeyOpenssh(key),
        privateKeyPemPkcs8: key.export({ type: "pkcs8", format: "pem" }),
        publicKeyPem: publicKey.export({ type: "spki", format: "pem" }),
        publicKeyOpenssh: publicKeyOpenssh(key),
        publicKeyFingerprintMd5: md5,
        publicKeyFingerprintSha256: sha256,
      },
    });
  },
});

interface PrivateKeyInputs {
  algorithm: KeyAlgorithm;
  ecdsaCurve: keyof typeof CURVES;
  rsaBits: number;
}

const strings = { items: "string" } as const;

const subject: Fields = {
  fields: {
    commonName: "string",
    country: "string",
    emailAddress: "string",
    locality: "string",
    organization: "string",
    organizationalUnit: "string",
    postalCode: "string",
    province: "string",
    serialNumber: "string",
    streetAddresses: strings,
  },
};

/** What a key and its owner's names need, in a request and in a self-signed certificate. */
const owner: Fields["fields"] = {
  privateKeyPem: "string",
  subject,
  dnsNames: strings,
  ipAddresses: strings,
  uris: strings,
};

type OwnerInputs = AlternativeNames & { privateKeyPem: string; subject?: Subject };

export const certRequest = generatedResource({
  fields: owner,
  required: ["privateKeyPem"],
  outputs: ["certRequestPem", "keyAlgorithm"],
  secrets: ["privateKeyPem"],
  async generate(inputs) {
    const { privateKeyPem: pem, subject = {}, ...names } = inputs as unknown as OwnerInputs;
    const key = parsePrivateKey(pem, "privateKeyPem");
    const certRequestPem = await createRequest(key, subject, names);
    const id = createHash("sha1").update(certRequestPem).digest("hex");
    return { id, outputs: { certRequestPem, keyAlgorithm: keyAlgorithm(key) } };
  },
});

/** What both kinds of certificate have in common. */
const certificate = {
  fields: {
    validityPeriodHours: "integer",
    allowedUses: { items: ALLOWED_USES },
    earlyRenewalHours: "integer",
    isCaCertificate: "boolean",
    maxPathLength: "integer",
    setSubjectKeyId: "boolean",
  },
  required: ["validityPeriodHours", "allowedUses"],
  defaults: { earlyRenewalHours: 0, isCaCertificate: false, setSubjectKeyId: false, readyForRenewal: false },
  outputs: ["certPem", "validityStartTime", "validityEndTime"],
  updatable: ["earlyRenewalHours"],
  check({ validityPeriodHours, earlyRenewalHours, maxPathLength = 0 }) {
    if ((validityPeriodHours as number) < 0) refuse("validityPeriodHours", "must be at least 0");
    if ((earlyRenewalHours as number) < 0) refuse("earlyRenewalHours", "must be at least 0");
    if ((maxPathLength as number) < -1) refuse("maxPathLength", "must be at least -1");
  },
  outdated: (state, inputs) => (renewable(state, inputs) ? "readyForRenewal" : undefined),
  refresh: (state) => (renewable(state, state) ? { readyForRenewal: true } : {}),
} satisfies Partial<Generator>;

/** True in the last `earlyRenewalHours` of a certificate's life, and after its end. */
function renewable(state: Obj, { earlyRenewalHours }: Obj): boolean {
  if (hasUnknown(earlyRenewalHours) || typeof state.validityEndTime !== "string") return false;
  return Date.now() >= Date.parse(state.validityEndTime) - Number(earlyRenewalHours) * 3_600_000;
}

const issuedOutputs = ({ certPem, notBefore, notAfter }: IssuedCertificate): Obj => ({
  certPem,
  validityStartTime: notBefore.toISOString(),
  validityEndTime: notAfter.toISOString(),
});

export const selfSignedCert = generatedResource({
  ...certificate,
  fields: { ...certificate.fields, ...owner, setAuthorityKeyId: "boolean" },
  required: [...certificate.required, "privateKeyPem"],
  defaults: { ...certificate.defaults, setAuthorityKeyId: false },
  outputs: [...certificate.outputs, "keyAlgorithm"],
  secrets: ["privateKeyPem"],
  async generate(inputs) {
    const all = inputs as unknown as OwnerInputs & CertificateInputs & { setAuthorityKeyId: boolean };
    const key = parsePrivateKey(all.privateKeyPem, "privateKeyPem");
    const issued = await createSelfSigned(key, all.subject ?? {}, all, all);
    return { id: issued.id, outputs: { ...issuedOutputs(issued), keyAlgorithm: keyAlgorithm(key) } };
  },
});

export const locallySignedCert = generatedResource({
  ...certificate,
  fields: { ...certificate.fields, certRequestPem: "string", caCertPem: "string", caPrivateKeyPem: "string" },
  required: [...certificate.required, "certRequestPem", "caCertPem", "caPrivateKeyPem"],
  outputs: [...certificate.outputs, "caKeyAlgorithm"],
  secrets: ["caPrivateKeyPem"],
  async generate(inputs) {
    const all = inputs as unknown as LocallySignedInputs;
    const caKey = parsePrivateKey(all.caPrivateKeyPem, "caPrivateKeyPem");
    const issued = await createLocallySigned(all.certRequestPem, all.caCertPem, caKey, all);
    return { id: issued.id, outputs: { ...issuedOutputs(issued), caKeyAlgorithm: keyAlgorithm(caKey) } };
  },
});

interface LocallySignedInputs extends CertificateInputs {
  certRequestPem: string;
  caCertPem: string;
  caPrivateKeyPem: string;
}

function refuse(property: string, reason: string): never {
  throw new CheckError([{ property, reason }]);
}

const types: Record<string, ResourceType> = {
  "tls:index/privateKey:PrivateKey": privateKey,
  "tls:index/certRequest:CertRequest": certRequest,
  "tls:index/selfSignedCert:SelfSignedCert": selfSignedCert,
  "tls:index/locallySignedCert:LocallySignedCert": locallySignedCert,
};

export const tls: Provider = { name: "tls", version: versions.tls, resource: (type) => types[type] };

if (require.main === module) void serve(tls);
