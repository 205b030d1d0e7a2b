import * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";
import { assertWorkload } from "../mesh/certificates";
import { spiffeId } from "../mesh/spiffe";

export interface WorkloadIdentityArgs {
  trustDomain: pulumi.Input<string>;
  namespace: pulumi.Input<string>;
  serviceAccount: pulumi.Input<string>;
  /** The intermediate that signs. */
  caCert: pulumi.Input<string>;
  caKey: pulumi.Input<string>;
  /** The intermediate and its issuers up to the root. */
  certChain: pulumi.Input<string>;
  /** How long the certificate is valid, in hours. Default: 8760, a year. */
  validityHours?: pulumi.Input<number>;
  /** `pulumi up` makes a new certificate when fewer hours are left. Default: half of its life. */
  earlyRenewalHours?: pulumi.Input<number>;
}

/**
 * The identity of one host: a key of its own and a certificate for it whose one URI SAN is the workload's SPIFFE ID.
 * With it the sidecar proves to istiod who it is, as long as it is valid, whether it runs on or was off for weeks; istiod
 * then gives it short-lived certificates for that identity.
 */
export class WorkloadIdentity extends pulumi.ComponentResource {
  /** `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`. */
  readonly spiffeId: pulumi.Output<string>;
  /** The certificate, then its issuers up to the root. */
  readonly certChain: pulumi.Output<string>;
  /** The private key; secret. */
  readonly key: pulumi.Output<string>;

  constructor(name: string, args: WorkloadIdentityArgs, opts?: pulumi.ComponentResourceOptions) {
    super("istio-vm:index:WorkloadIdentity", name, {}, opts);
    const { trustDomain, namespace, serviceAccount, validityHours = 8760 } = args;
    this.spiffeId = pulumi.output({ trustDomain, namespace, serviceAccount }).apply(spiffeId);
    const parent = { parent: this };
    const key = new tls.PrivateKey(`${name}-key`, { algorithm: "ECDSA", ecdsaCurve: "P256" }, parent);
    const request = new tls.CertRequest(
      `${name}-request`,
      { privateKeyPem: key.privateKeyPem, subject: { organization: "Istio" }, uris: [this.spiffeId] },
      parent,
    );
    const certificate = new tls.LocallySignedCert(
      `${name}-certificate`,
      {
        certRequestPem: request.certRequestPem,
        caPrivateKeyPem: pulumi.secret(args.caKey),
        caCertPem: args.caCert,
        validityPeriodHours: validityHours,
        earlyRenewalHours:
          args.earlyRenewalHours ?? pulumi.output(validityHours).apply((hours) => Math.floor(hours / 2)),
        allowedUses: ["digital_signature", "key_encipherment", "server_auth", "client_auth"],
      },
      parent,
    );
    const checked = pulumi.all([certificate.certPem, this.spiffeId]).apply(([pem, id]) => assertWorkload(pem, id));
    this.certChain = pulumi.interpolate`${checked}${args.certChain}`;
    this.key = pulumi.secret(key.privateKeyPem);
    this.registerOutputs({ spiffeId: this.spiffeId });
  }
}
