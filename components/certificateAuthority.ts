import * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";
import { assertRoot } from "../mesh/certificates";

/** A certificate authority of the user's own: Istio's plug-in CA, without the root's key. All PEM. */
export interface ProvidedAuthority {
  rootCert: pulumi.Input<string>;
  caCert: pulumi.Input<string>;
  /** The intermediate and its issuers up to the root. */
  certChain: pulumi.Input<string>;
  caKey: pulumi.Input<string>;
}

export interface CertificateAuthorityArgs {
  /** The user's own; everything else is then without meaning, and nothing is made. */
  provided?: ProvidedAuthority;
  /** The organization in both subjects. Default: Istio. */
  organization?: pulumi.Input<string>;
  /** The root's common name. Default: Root CA. */
  commonName?: pulumi.Input<string>;
  /** Of both keys. Default: ECDSA-P256. */
  keyAlgorithm?: KeyAlgorithm;
  /** Default: 87600, ten years. */
  rootValidityHours?: pulumi.Input<number>;
  /** Default: 43800, five years. */
  intermediateValidityHours?: pulumi.Input<number>;
}

export type KeyAlgorithm = "ECDSA-P256" | "ECDSA-P384" | "RSA-4096";

const KEY_ARGS: Record<KeyAlgorithm, tls.PrivateKeyArgs> = {
  "ECDSA-P256": { algorithm: "ECDSA", ecdsaCurve: "P256" },
  "ECDSA-P384": { algorithm: "ECDSA", ecdsaCurve: "P384" },
  "RSA-4096": { algorithm: "RSA", rsaBits: 4096 },
};

/**
 * The mesh's certificate authority: a root and the intermediate that istiod signs with, as in Istio's "Plug in CA
 * Certificates". The root's path length is 1, so nothing below the intermediate can be a CA. Its key stays in the
 * stack's encrypted state and goes nowhere else; with `provided` there is none.
 *
 * Certificates begin to be valid at the moment they are made (the tls provider can't back-date them): a machine whose
 * clock is behind refuses them until it has caught up.
 */
export class CertificateAuthority extends pulumi.ComponentResource {
  /** The root certificate. */
  readonly rootCert: pulumi.Output<string>;
  /** The intermediate's certificate. */
  readonly caCert: pulumi.Output<string>;
  /** The intermediate's certificate, then the root's. */
  readonly certChain: pulumi.Output<string>;
  /** The intermediate's private key; secret. */
  readonly caKey: pulumi.Output<string>;

  constructor(name: string, args: CertificateAuthorityArgs = {}, opts?: pulumi.ComponentResourceOptions) {
    super("istio-vm:index:CertificateAuthority", name, {}, opts);
    const { provided } = args;
    if (provided !== undefined) {
      this.rootCert = pulumi.output(provided.rootCert);
      this.caCert = pulumi.output(provided.caCert);
      this.certChain = pulumi.output(provided.certChain);
      this.caKey = pulumi.secret(provided.caKey);
      this.registerOutputs({ rootCert: this.rootCert });
      return;
    }

    const { organization = "Istio", commonName = "Root CA", keyAlgorithm = "ECDSA-P256" } = args;
    const parent = { parent: this };
    const rootKey = new tls.PrivateKey(`${name}-root-key`, KEY_ARGS[keyAlgorithm], parent);
    const root = new tls.SelfSignedCert(
      `${name}-root`,
      {
        privateKeyPem: rootKey.privateKeyPem,
        subject: { organization, commonName },
        isCaCertificate: true,
        maxPathLength: 1,
        setSubjectKeyId: true,
        validityPeriodHours: args.rootValidityHours ?? 87600,
        allowedUses: ["cert_signing", "crl_signing"],
      },
      parent,
    );
    const intermediateKey = new tls.PrivateKey(`${name}-intermediate-key`, KEY_ARGS[keyAlgorithm], parent);
    const request = new tls.CertRequest(
      `${name}-intermediate-request`,
      {
        privateKeyPem: intermediateKey.privateKeyPem,
        subject: { organization, commonName: pulumi.interpolate`${commonName} Intermediate` },
      },
      parent,
    );
    const intermediate = new tls.LocallySignedCert(
      `${name}-intermediate`,
      {
        certRequestPem: request.certRequestPem,
        caPrivateKeyPem: rootKey.privateKeyPem,
        caCertPem: root.certPem,
        isCaCertificate: true,
        setSubjectKeyId: true,
        validityPeriodHours: args.intermediateValidityHours ?? 43800,
        allowedUses: ["digital_signature", "key_encipherment", "cert_signing", "crl_signing"],
      },
      parent,
    );

    this.rootCert = root.certPem.apply(assertRoot);
    this.caCert = intermediate.certPem;
    this.certChain = pulumi.interpolate`${intermediate.certPem}${this.rootCert}`;
    this.caKey = pulumi.secret(intermediateKey.privateKeyPem);
    this.registerOutputs({ rootCert: this.rootCert });
  }
}
