/** The stand-in for the tls provider: PrivateKey, CertRequest, SelfSignedCert and LocallySignedCert. */
import { createHash, createPublicKey } from "node:crypto";
import { CheckError } from "../errors";
import { generatedResource, Generator } from "../generated";
import type { Fields } from "../inputs";
import type { Provider, ResourceType } from "../provider";
import { serve } from "../serve";
import { hasUnknown, Obj } from "../values";
import { versions } from "../versions";
import {
  ALLOWED_USES,
  CertificateInputs,
  createLocallySigned,
  createRequest,
  createSelfSigned,
  IssuedCertificate,
  Subject,
} from "./certificates";
import { CURVES, generateKey, KeyAlgorithm, keyAlgorithm, parsePrivateKey, privateKeyPem } from "./keys";

/** Of a key's many forms only those that a resource of ours reads: the private key's PEM, and the public key's. */
export const privateKey = generatedResource({
  fields: { algorithm: ["ECDSA", "RSA"], ecdsaCurve: "string", rsaBits: "integer" },
  required: ["algorithm"],
  defaults: { ecdsaCurve: "P224", rsaBits: 2048 },
  outputs: ["privateKeyPem", "publicKeyPem"],
  secrets: ["privateKeyPem"],
  check({ algorithm, ecdsaCurve, rsaBits }) {
    if (algorithm === "ECDSA" && !hasUnknown(ecdsaCurve) && !((ecdsaCurve as string) in CURVES)) {
      refuse("ecdsaCurve", `must be ${Object.keys(CURVES).join(" or ")}: the stand-in has no ${ecdsaCurve as string}`);
    }
    if (algorithm === "RSA" && !hasUnknown(rsaBits) && rsaBits !== 4096) {
      refuse("rsaBits", "must be 4096 for the stand-in");
    }
  },
  generate(inputs) {
    const { algorithm, ecdsaCurve, rsaBits } = inputs as unknown as PrivateKeyInputs;
    const key = generateKey(algorithm, ecdsaCurve, rsaBits);
    const publicKey = createPublicKey(key);
    return Promise.resolve({
      id: createHash("sha1")
        .update(publicKey.export({ type: "spki", format: "der" }))
        .digest("hex"),
      outputs: {
        privateKeyPem: privateKeyPem(key),
        publicKeyPem: publicKey.export({ type: "spki", format: "pem" }),
      },
    });
  },
});

interface PrivateKeyInputs {
  algorithm: KeyAlgorithm;
  ecdsaCurve: keyof typeof CURVES;
  rsaBits: number;
}

const subject: Fields = { fields: { organization: "string", commonName: "string" } };

interface RequestInputs {
  privateKeyPem: string;
  subject?: Subject;
  uris?: string[];
}

export const certRequest = generatedResource({
  fields: { privateKeyPem: "string", subject, uris: { items: "string" } },
  required: ["privateKeyPem"],
  outputs: ["certRequestPem", "keyAlgorithm"],
  secrets: ["privateKeyPem"],
  async generate(inputs) {
    const { privateKeyPem: pem, subject = {}, uris = [] } = inputs as unknown as RequestInputs;
    const key = parsePrivateKey(pem, "privateKeyPem");
    const certRequestPem = await createRequest(key, subject, uris);
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
  fields: { ...certificate.fields, privateKeyPem: "string", subject },
  required: [...certificate.required, "privateKeyPem"],
  outputs: [...certificate.outputs, "keyAlgorithm"],
  secrets: ["privateKeyPem"],
  async generate(inputs) {
    const all = inputs as unknown as SelfSignedInputs;
    const key = parsePrivateKey(all.privateKeyPem, "privateKeyPem");
    const issued = await createSelfSigned(key, all.subject ?? {}, all);
    return { id: issued.id, outputs: { ...issuedOutputs(issued), keyAlgorithm: keyAlgorithm(key) } };
  },
});

interface SelfSignedInputs extends CertificateInputs {
  privateKeyPem: string;
  subject?: Subject;
}

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
