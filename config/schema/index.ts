/**
 * What `Pulumi.<stack>.yaml` may hold: every field, what is allowed there, and its default. A secret never stands in a
 * structure: a field names a secret key (`secret: sshKey`), and that key is set by
 * `pulumi config set --secret sshKey < file`, so that stack files stay readable and every secret stays a Pulumi secret.
 */
import { z } from "zod";
import { PROTOCOLS } from "../../mesh/externalService";
import { ROTATION_STEPS } from "../../mesh/rotation";
import { rangesProblem } from "../../mesh/serviceCidr";
import { controlPlane, exposure } from "./controlPlane";
import { bastion, host, identity, ofOneMachine, sshServer } from "./host";
import { sidecar } from "./sidecar";
import { dnsLabel, dnsName, hours, map, namespace, path, pem, port, secretName, text } from "./values";

export type { HostFields, SshFields, SshKey } from "./host";
export { ARCHITECTURES, FORMATS } from "./sidecar";

const service = map({
  /** The name of the Service and the ServiceEntry. */
  name: dnsLabel.regex(/^[a-z]/, "a name that begins with a letter, as Kubernetes wants it of a Service"),
  namespace,
  /** How clients in the mesh spread and end their requests: the trafficPolicy of Istio's DestinationRule. Default: none. */
  trafficPolicy: z.record(z.string(), z.unknown(), { error: "a map, as a DestinationRule has it" }).optional(),
  /** Names of the hosts that serve it. */
  hosts: z.array(text, { error: "a list of host names" }).min(1, "at least one host"),
  ports: z
    .array(
      map({
        port,
        /** The port on the hosts. Default: the same. */
        targetPort: port.optional(),
        /** Default: HTTP. */
        protocol: z.enum(PROTOCOLS, { error: `one of ${PROTOCOLS.join(", ")}` }).default("HTTP"),
        /** The port's name. Default: `<protocol>-<port>`. */
        name: dnsLabel.optional(),
      }).transform(({ targetPort, ...rest }) => ({ ...rest, targetPort: targetPort ?? rest.port })),
      { error: "a list of ports" },
    )
    .min(1, "at least one port"),
});

const generation = z
  .int({ error: "a whole number, 1 or more" })
  .min(1, "a whole number, 1 or more")
  .max(9999, "a whole number, 9999 at most");

/** How another CA takes the place of the one that the mesh has (mesh/rotation.ts). */
const rotation = map({
  /** The last step to be taken so far. Default: retire. */
  until: z.enum(ROTATION_STEPS, { error: `one of ${ROTATION_STEPS.join(", ")}` }).default("retire"),
  /**
   * Hosts that can't be asked whether they have what the next step needs: they are waited for, or left behind, and rejoin
   * by the first `pulumi up` that reaches them. Default: wait.
   */
  absent: z.enum(["wait", "leave"], { error: "wait or leave" }).default("wait"),
}).prefault({});

export const ca = z.xor(
  [
    map({
      /** The organization in the subject of both certificates. Default: Istio. */
      organization: text.default("Istio"),
      /** The root's common name; the intermediate's is the same with "Intermediate". Default: Root CA. */
      commonName: text.default("Root CA"),
      /** Default: ECDSA-P256. */
      keyAlgorithm: z
        .enum(["ECDSA-P256", "ECDSA-P384", "RSA-4096"], { error: "one of ECDSA-P256, ECDSA-P384, RSA-4096" })
        .default("ECDSA-P256"),
      /** Hours that the root is valid. Default: 87600 (ten years). */
      rootValidityHours: hours.default(87600),
      /** Hours that the intermediate is valid. Default: 43800 (five years). */
      intermediateValidityHours: hours.default(43800),
      /**
       * How long before their end `pulumi up` makes both anew, for the same keys; not before half of their lives. Default:
       * 4380 (half a year).
       */
      earlyRenewalHours: hours.default(4380),
      /** Which root: a higher number is a new one, which takes the place of the one before step by step. Default: 1. */
      root: generation.default(1),
      /** Which intermediate under that root, likewise. Default: 1. */
      intermediate: generation.default(1),
      /**
       * Whether the CAs have revocation lists (mesh/revocation.ts), with what hosts were sent that are gone or have left.
       * Default: false.
       */
      revocationLists: z.boolean({ error: "true or false" }).default(false),
      rotation,
    }),
    map({
      /**
       * Your own intermediate: PEM texts as in Istio's plug-in CA, whatever stands around their blocks. The root's key is
       * not needed, nor ever seen.
       */
      provided: map({
        /** What the mesh trusts: a root, or several of which one is the CA's. */
        rootCert: pem,
        /** The CA with which istiod signs: an intermediate, or the root itself, for istiod takes that too. */
        caCert: pem,
        /** caCert and its issuers, in order, up to one of rootCert, which may be left out. */
        certChain: pem,
        /** The key of caCert: PKCS#8, PKCS#1 or SEC1, without a passphrase. */
        caKey: map({ secret: secretName }, "{secret: NAME}"),
      }),
      rotation,
    }),
  ],
  { error: "the fields of a new CA, or {provided: {rootCert, caCert, certChain, caKey}}" },
);

const SERVICE_CIDR = 'auto, a CIDR such as 10.96.0.0/16 (several with commas between), or "*"';

/** Every top-level key of a stack's configuration that is not a secret. */
export const keys = {
  /** The cluster. */
  cluster: map({
    /** The cluster's name as istiod knows it. Default: Kubernetes, as in Istio; or what the existing istiod says. */
    name: z.union([dnsName, z.literal("Kubernetes")], { error: "a DNS name in lower case" }).optional(),
    /** Path of the kubeconfig. Default: as kubectl finds it. */
    kubeconfig: path.optional(),
    /** Default: the kubeconfig's current context. */
    context: text.optional(),
    /** The mesh's SPIFFE trust domain. Default: cluster.local; or that of the existing mesh. */
    trustDomain: dnsName.optional(),
    /** The domain of the cluster's DNS. Default: cluster.local. */
    domain: dnsName.default("cluster.local"),
    /** Namespaces of hosts, services or the sample client that are there already and are not ours to remove. */
    existingNamespaces: z.array(dnsLabel, { error: "a list of namespaces" }).default(["default"]),
  }).prefault({}),
  /** Whose Istio it is: one that this stack installs, or one that is there already. */
  controlPlane,
  /** How hosts reach istiod. */
  exposure,
  /**
   * How hosts prove who they are: by a certificate of the stack's CA, or, in every other mesh, by a service account token,
   * for which istiod gives them certificates. Default: certificate where the stack has a CA, else token.
   */
  identity: identity.optional(),
  /** The service ranges whose traffic goes through the sidecars, with commas between; `auto` asks the cluster. Default: auto. */
  serviceCidr: z
    .string({ error: SERVICE_CIDR })
    .superRefine((text, context) => {
      const problem = text === "auto" || text === "*" ? undefined : rangesProblem(text);
      if (problem !== undefined) context.addIssue(`${SERVICE_CIDR}: ${problem}`);
    })
    .transform((text) => text.replace(/\s/g, ""))
    .default("auto"),
  /** The certificate authority. Default: a new one; none beside an existing control plane. */
  ca: ca.optional(),
  /**
   * Hours that the certificate is valid that a host is sent, and how long before its end `pulumi up` renews it. Default:
   * 8760, a year; half of that.
   */
  workloadCertificate: map({ validityHours: hours.default(8760), earlyRenewalHours: hours.optional() })
    .prefault({})
    .transform(({ validityHours, earlyRenewalHours = Math.floor(validityHours / 2) }) => ({
      validityHours,
      earlyRenewalHours,
    })),
  /** How to log in to hosts, unless a host says otherwise. */
  ssh: map({ ...sshServer, host: ofOneMachine, hostKey: ofOneMachine, bastion }).default({}),
  /** The machines that join the mesh. */
  hosts: z.array(host, { error: "a list of hosts" }).default([]),
  /** Run join on every host at each `pulumi up`, so that what was changed there by hand is put right. Default: false. */
  healDrift: z.stringbool({ truthy: ["true"], falsy: ["false"], error: "true or false" }).default(false),
  /**
   * Whether the mesh refuses the identity of a host that is gone or has left, as long as the stack stands. Only of a service
   * account of the stack's own that no other host has any more. Default: true.
   */
  denyEnded: z.stringbool({ truthy: ["true"], falsy: ["false"], error: "true or false" }).default(true),
  /** The services that they offer. */
  services: z.array(service, { error: "a list of services" }).default([]),
  /** The istio-sidecar packages for the hosts, each of which takes the one that fits, unless it has its own. */
  sidecar,
  /** A pod to try the mesh from (Istio's `sleep`). Default: none. */
  sampleClient: map({
    namespace: namespace.default("default"),
    /** An image with `sleep` and `curl`. Default: curlimages/curl:8.17.0. */
    image: text.default("curlimages/curl:8.17.0"),
  }).optional(),
};

export const stack = z.strictObject(keys);

/** The stack's configuration as it was written, with the defaults of single fields. */
export type Stack = z.infer<typeof stack>;
export type Authority = z.infer<typeof ca>;
export type ServiceFields = z.infer<typeof service>;
