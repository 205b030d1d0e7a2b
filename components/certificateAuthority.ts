import * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";
import { assertRoot } from "../mesh/certificates";
import { type IssuedCertificate, revocationLists } from "../mesh/revocation";
import { type Generation, generationName } from "../mesh/rotation";

const FIRST: Generation = { root: 1, intermediate: 1 };

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
  /**
   * The authority, and others that are still in use (mesh/rotation.ts). Default: the first of all, alone. Plain values:
   * they decide which resources there are.
   */
  generations?: Generation[];
  /** The organization in all subjects. Default: Istio. */
  organization?: pulumi.Input<string>;
  /** The root's common name; later roots have their number behind it. Default: Root CA. */
  commonName?: pulumi.Input<string>;
  /** Of all keys. Default: ECDSA-P256. */
  keyAlgorithm?: KeyAlgorithm;
  /** Default: 87600, ten years. */
  rootValidityHours?: pulumi.Input<number>;
  /** Default: 43800, five years. */
  intermediateValidityHours?: pulumi.Input<number>;
  /**
   * `pulumi up` makes a new certificate for the same key when fewer hours are left, but not before half of its life.
   * Default: 4380, half a year.
   */
  earlyRenewalHours?: pulumi.Input<number>;
}

export type KeyAlgorithm = "ECDSA-P256" | "ECDSA-P384" | "RSA-4096";

const KEY_ARGS: Record<KeyAlgorithm, tls.PrivateKeyArgs> = {
  "ECDSA-P256": { algorithm: "ECDSA", ecdsaCurve: "P256" },
  "ECDSA-P384": { algorithm: "ECDSA", ecdsaCurve: "P384" },
  "RSA-4096": { algorithm: "RSA", rsaBits: 4096 },
};
/** What an authority keeps that is only still in use: these arguments are meant for the one that takes its place. */
const KEPT_KEY = ["algorithm", "ecdsaCurve", "rsaBits"];
const KEPT_NAME = ["subject"];
const CA_USES = ["digital_signature", "key_encipherment", "cert_signing", "crl_signing"];

/** What istiod needs of an authority. All PEM. */
export interface IssuingAuthority {
  /** The root certificate. */
  rootCert: pulumi.Output<string>;
  /** The intermediate's certificate. */
  caCert: pulumi.Output<string>;
  /** The intermediate's certificate, then the root's. */
  certChain: pulumi.Output<string>;
  /** The intermediate's private key; secret. */
  caKey: pulumi.Output<string>;
  /** The chain by which those who trust an earlier root only believe it as well. Default: certChain. */
  crossChain?: pulumi.Output<string>;
}

interface Root {
  key: tls.PrivateKey;
  certPem: pulumi.Output<string>;
  subject: tls.SelfSignedCertArgs["subject"];
  /** Whether it is only still in use. */
  keeps: boolean;
}

/**
 * The mesh's certificate authority: a root and the intermediate that istiod signs with, as in Istio's "Plug in CA
 * Certificates". The root's path length is 1, so nothing below the intermediate can be a CA. Its key stays in the
 * stack's encrypted state and goes nowhere else; with `provided` there is none.
 *
 * Certificates begin to be valid at the moment they are made (the tls provider can't back-date them): a machine whose
 * clock is behind refuses them until it has caught up.
 */
export class CertificateAuthority extends pulumi.ComponentResource implements IssuingAuthority {
  readonly rootCert: pulumi.Output<string>;
  readonly caCert: pulumi.Output<string>;
  readonly certChain: pulumi.Output<string>;
  readonly caKey: pulumi.Output<string>;
  readonly crossChain?: pulumi.Output<string>;
  private readonly generations = new Map<string, IssuingAuthority>();
  private readonly roots = new Map<number, Root>();
  private readonly crosses = new Map<string, pulumi.Output<string>>();

  constructor(
    private readonly name: string,
    private readonly args: CertificateAuthorityArgs = {},
    opts?: pulumi.ComponentResourceOptions,
  ) {
    super("istio-vm:index:CertificateAuthority", name, {}, opts);
    const first = args.provided ? this.take(args.provided) : this.makeAll(args.generations ?? [FIRST]);
    this.rootCert = first.rootCert;
    this.caCert = first.caCert;
    this.certChain = first.certChain;
    this.caKey = first.caKey;
    this.crossChain = first.crossChain;
    this.registerOutputs({ rootCert: this.rootCert });
  }

  /** The authority of that name; undefined if the stack does not make it. */
  generation(name: string): IssuingAuthority | undefined {
    return this.generations.get(name);
  }

  /**
   * The revocation lists of all CAs that there are, roots and intermediates.
   *
   * @param revoked what the hosts were sent that are believed no more
   * @param present the lists that the mesh has
   */
  revocationLists(revoked: IssuedCertificate[], present: string): pulumi.Output<string> {
    const authorities = [
      ...[...this.roots.values()].map(({ certPem, key }) => ({ certificate: certPem, key: key.privateKeyPem })),
      ...[...this.generations.values()].map(({ caCert, caKey }) => ({ certificate: caCert, key: caKey })),
    ];
    return pulumi.unsecret(pulumi.output(authorities).apply((all) => revocationLists(all, revoked, present)));
  }

  private take({ rootCert, caCert, certChain, caKey }: ProvidedAuthority): IssuingAuthority {
    return {
      rootCert: pulumi.output(rootCert),
      caCert: pulumi.output(caCert),
      certChain: pulumi.output(certChain),
      caKey: pulumi.secret(caKey),
    };
  }

  private makeAll(generations: Generation[]): IssuingAuthority {
    const [wanted] = generations;
    for (const { root } of generations)
      if (!this.roots.has(root)) this.roots.set(root, this.root(root, root !== wanted!.root));
    const made = generations.map(
      (generation) => [generationName(generation), this.intermediate(generation, generation !== wanted)] as const,
    );
    for (const [name, authority] of made) this.generations.set(name, authority);
    return made[0]![1];
  }

  private root(number: number, keeps: boolean): Root {
    const { organization = "Istio", commonName = "Root CA", rootValidityHours = 87600 } = this.args;
    const name = `${this.name}-root${number === 1 ? "" : `-${number}`}`;
    const subject = { organization, commonName: numbered(commonName, number) };
    const key = this.key(`${name}-key`, keeps);
    const root = new tls.SelfSignedCert(
      name,
      {
        privateKeyPem: key.privateKeyPem,
        subject,
        isCaCertificate: true,
        maxPathLength: 1,
        setSubjectKeyId: true,
        validityPeriodHours: rootValidityHours,
        earlyRenewalHours: this.early(rootValidityHours),
        allowedUses: ["cert_signing", "crl_signing"],
      },
      this.options(keeps, KEPT_NAME),
    );
    return { key, certPem: root.certPem.apply(assertRoot), subject, keeps };
  }

  private intermediate(generation: Generation, keeps: boolean): IssuingAuthority {
    const { organization = "Istio", commonName = "Root CA" } = this.args;
    const root = this.roots.get(generation.root)!;
    const version = generationName(generation);
    const name = `${this.name}-intermediate${version === "1.1" ? "" : `-${version}`}`;
    const key = this.key(`${name}-key`, keeps);
    const request = new tls.CertRequest(
      `${name}-request`,
      {
        privateKeyPem: key.privateKeyPem,
        subject: {
          organization,
          commonName: numbered(
            pulumi.interpolate`${numbered(commonName, generation.root)} Intermediate`,
            generation.intermediate,
          ),
        },
      },
      this.options(keeps, KEPT_NAME),
    );
    const certificate = this.certify(name, request, root);
    const earlier = [...this.roots].filter(([number]) => number < generation.root);
    const crossed = earlier.flatMap(([number, other]) => [
      this.crossed(generation.root, number),
      this.certify(`${name}-by-${number}`, request, other),
    ]);
    return {
      rootCert: root.certPem,
      caCert: certificate,
      certChain: pulumi.concat(certificate, root.certPem),
      caKey: pulumi.secret(key.privateKeyPem),
      crossChain: crossed.length === 0 ? undefined : pulumi.concat(certificate, ...crossed),
    };
  }

  /**
   * A root as an earlier one certifies it, for those who trust that only. Envoy takes the first issuer that fits and no
   * other, so that the way up must lead through the new root. To Go, which tries all, that way is too long for the earlier
   * root's path length: to it, that has certified the intermediate as well. (Tried with Envoy 1.39 and Go 1.26.)
   */
  private crossed(number: number, by: number): pulumi.Output<string> {
    const name = `${this.name}-root-${number}-by-${by}`;
    const known = this.crosses.get(name);
    if (known !== undefined) return known;
    const { key, subject, keeps } = this.roots.get(number)!;
    const request = new tls.CertRequest(
      `${name}-request`,
      { privateKeyPem: key.privateKeyPem, subject },
      this.options(keeps, KEPT_NAME),
    );
    const certificate = this.certify(name, request, this.roots.get(by)!);
    this.crosses.set(name, certificate);
    return certificate;
  }

  /** A CA's certificate for a request, by a root. */
  private certify(name: string, request: tls.CertRequest, root: Root): pulumi.Output<string> {
    const { intermediateValidityHours = 43800 } = this.args;
    const certificate = new tls.LocallySignedCert(
      name,
      {
        certRequestPem: request.certRequestPem,
        caPrivateKeyPem: root.key.privateKeyPem,
        caCertPem: root.certPem,
        isCaCertificate: true,
        setSubjectKeyId: true,
        validityPeriodHours: intermediateValidityHours,
        earlyRenewalHours: this.early(intermediateValidityHours),
        allowedUses: CA_USES,
      },
      { parent: this },
    );
    return certificate.certPem;
  }

  private early(validityHours: pulumi.Input<number>): pulumi.Output<number> {
    const { earlyRenewalHours = 4380 } = this.args;
    return pulumi
      .all([earlyRenewalHours, validityHours])
      .apply(([early, life]) => Math.min(early, Math.floor(life / 2)));
  }

  private key(name: string, keeps: boolean): tls.PrivateKey {
    const args = KEY_ARGS[this.args.keyAlgorithm ?? "ECDSA-P256"];
    return new tls.PrivateKey(name, args, this.options(keeps, KEPT_KEY));
  }

  private options(keeps: boolean, kept: string[]): pulumi.CustomResourceOptions {
    return { parent: this, ignoreChanges: keeps ? kept : [] };
  }
}

/** Later ones have their number behind their name. */
const numbered = (text: pulumi.Input<string>, number: number) =>
  number === 1 ? text : pulumi.interpolate`${text} ${number}`;
