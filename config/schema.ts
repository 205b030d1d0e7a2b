/**
 * What `Pulumi.<stack>.yaml` may hold: every field, what is allowed there, and its default. A secret never stands in a
 * structure: a field names a secret key (`secret: sshKey`), and that key is set by
 * `pulumi config set --secret sshKey < file`, so that stack files stay readable and every secret stays a Pulumi secret.
 */
import { isIP } from "node:net";
import { z } from "zod";
import { isCertificates } from "../mesh/certificates";
import { RESERVED_VARIABLES } from "../mesh/environment";
import { PROTOCOLS } from "../mesh/externalService";
import { addressProblem } from "../mesh/addresses";
import { rangesProblem } from "../mesh/serviceCidr";
import { expandHome } from "./homePath";
import { isHostKey } from "./hostKey";
import { labels } from "./labels";

const is = (pattern: RegExp, allowed: string) => z.string({ error: allowed }).regex(pattern, allowed);
const map = <T extends z.core.$ZodLooseShape>(shape: T, allowed = "a map") => z.strictObject(shape, { error: allowed });
const dnsLabel = is(
  /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
  "a DNS label: lower-case letters, digits and hyphens, 63 at most",
);
const dnsName = is(
  /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
  "a DNS name in lower case",
);
/** Of a machine, as others see it. */
const address = z.string({ error: "an IP address" }).superRefine((text, context) => {
  const problem = isIP(text) === 0 ? undefined : addressProblem(text);
  if (problem !== undefined) context.addIssue(`the address of a machine, which this is not: it ${problem}`);
  else if (isIP(text) === 0) context.addIssue("an IP address");
});
/** Of what is ours to use: Kubernetes's own and Istio's are not. */
const namespace = dnsLabel.refine(
  (name) => !["istio-system", "kube-system", "kube-public", "kube-node-lease"].includes(name),
  "a namespace of your own: neither Kubernetes's nor Istio's",
);
// Not even where a path is meant: the error of a file that can't be opened would show the key.
const text = is(/^(?!.*PRIVATE KEY)[^\0\r\n]+$/, "a text of one line");
/** Of a file here; `~` is the home directory. */
const path = text.transform(expandHome);
const pem = z.string({ error: "a certificate in PEM" }).refine(isCertificates, "a certificate in PEM");
const port = z.int({ error: "a port, 1 to 65535" }).min(1, "a port, 1 to 65535").max(65535, "a port, 1 to 65535");
const hours = z.int({ error: "a whole number of hours, 1 or more" }).min(1, "a whole number of hours, 1 or more");
const hostKey = text.refine(isHostKey, "a public host key, `ssh-ed25519 AAAA...` or `ecdsa-sha2-nistp256 AAAA...`");
/** Of an SSH server. */
const hostName = text.refine(
  (name) => isIP(name) !== 0 || /^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?$/.test(name),
  "a name or an IP address; user and port have fields of their own",
);
const secretName = is(/^[A-Za-z][\w.-]*$/, "the name of a secret configuration key");

const sshKey = z.xor(
  [
    map({
      /** Path of a private key file without passphrase. */
      file: path,
    }),
    map({
      /** The name of a secret key of this configuration that holds the private key. */
      secret: secretName,
    }),
    map({
      /** The running ssh-agent, found through SSH_AUTH_SOCK. */
      agent: z.literal(true, { error: "true" }),
    }),
  ],
  { error: "one of {file: PATH}, {secret: NAME}, {agent: true}" },
);

/** What is absent is as in the stack's own `ssh`, but for a bastion, which is another machine. */
const sshServer = {
  /** The user; it needs sudo without a password unless it is root. Default: root. */
  user: text.optional(),
  /** The port of the SSH server. Default: 22. */
  port: port.optional(),
  /** The private key. Default: the agent. */
  key: sshKey.optional(),
  /** The known_hosts file in which the host key is looked up. Default: ~/.ssh/known_hosts. */
  knownHosts: path.optional(),
  /** false: talk to whoever answers. Only for machines that are thrown away. Default: true. */
  verifyHostKey: z.boolean({ error: "true or false" }).optional(),
};

/** A host to go through. */
const bastion = map(
  { ...sshServer, host: hostName, hostKey: hostKey.optional() },
  "a map with at least `host`",
).optional();

/** Each machine has its own, so it makes no sense for all of them. */
const ofOneMachine = z.never({ error: "it in hosts[].ssh: each machine has its own" }).optional();

const identity = z.enum(["certificate", "token"], { error: "certificate or token" });

const host = map({
  /** Unique in the stack; the proxy's name in `istioctl proxy-status` and the host's resource name. */
  name: dnsLabel,
  /** The address at which pods reach the host. */
  address,
  /** How to log in. */
  ssh: map({
    ...sshServer,
    /** The name or address to connect to. Default: the host's address. */
    host: hostName.optional(),
    /** The host key. Default: what knownHosts says. */
    hostKey: hostKey.optional(),
    bastion,
  }).default({}),
  /** The Kubernetes namespace that the host's workload belongs to. */
  namespace,
  /** The service account whose identity the host has, made by the stack if it is missing. Default: the host's name. */
  serviceAccount: dnsName.optional(),
  /** How the host proves who it is. Default: as the stack's `identity` says. */
  identity: identity.optional(),
  /** The revision of an existing control plane that it belongs to, or a tag of it. Default: controlPlane's. */
  revision: dnsLabel.optional(),
  /** The network that it is in, as Istio knows it (ISTIO_META_NETWORK). Default: the cluster's. */
  network: dnsLabel.optional(),
  /** The TCP ports that the sidecar serves, or "*" for all but SSH and the sidecar's own. */
  inboundPorts: z.union([z.array(port, { error: "a list of ports" }), z.literal("*")], {
    error: 'a list of ports, or "*"',
  }),
  /** Labels of the workload, as on a pod. Default: app: <name>. */
  labels: labels.optional(),
  /** Further variables for the sidecar (sidecar.env), such as ISTIO_META_DNS_CAPTURE. */
  environment: z
    .record(
      is(/^[A-Za-z_][A-Za-z0-9_]*$/, "the name of an environment variable").refine(
        (name) => !RESERVED_VARIABLES.includes(name),
        "a variable that this program does not set itself",
      ),
      is(/^[^\0\r\n]*$/, "a text of one line"),
      { error: "a map of variable names to values" },
    )
    .default({}),
  /**
   * true: a sidecar that was joined by hand, by Istio's guide, is taken over, and given back when the host leaves.
   * Default: false.
   */
  adopt: z.boolean({ error: "true or false" }).default(false),
  /**
   * true: the machine no longer exists or can't be reached any more. Nothing is asked of it, its services lose it, and
   * destroying the stack or removing the host leaves it alone. Default: false.
   */
  gone: z.boolean({ error: "true or false" }).default(false),
});

const service = map({
  /** The name of the Service and the ServiceEntry. */
  name: dnsLabel.regex(/^[a-z]/, "a name that begins with a letter, as Kubernetes wants it of a Service"),
  namespace,
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
      }).transform(({ targetPort, ...rest }) => ({ ...rest, targetPort: targetPort ?? rest.port })),
      { error: "a list of ports" },
    )
    .min(1, "at least one port"),
});

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
    }),
    map({
      /** Your own intermediate: PEM texts as in Istio's plug-in CA. The root's key is not needed, nor ever seen. */
      provided: map({
        rootCert: pem,
        caCert: pem,
        /** The intermediate and its issuers up to the root. */
        certChain: pem,
        caKey: map({ secret: secretName }, "{secret: NAME}"),
      }),
    }),
  ],
  { error: "the fields of a new CA, or {provided: {rootCert, caCert, certChain, caKey}}" },
);

const PACKAGE_URL = "an http or https URL without user, password or query; {secret: NAME} for one that has any";
const packageUrl = is(/^https?:\/\/[^\s'"\\?#@/]+(\/[^\s'"\\?#]*)?$/, PACKAGE_URL).refine(
  (url) => URL.canParse(url),
  PACKAGE_URL,
);
/** Of a node, as seen from the hosts. */
const nodeAddresses = z
  .array(address, { error: "a list of IP addresses" })
  .min(1, "the address of a node at least")
  .refine((list) => new Set(list).size === list.length, "addresses that differ");
const NODE_PORT = "{type: NodePort, nodeAddresses: [ADDRESS]}";
const EXPOSURES = `${NODE_PORT}, {type: LoadBalancer}, {type: EastWestGateway} or {type: Address, address: NAME, port: PORT}`;

const exposure = z.discriminatedUnion(
  "type",
  [
    map({
      /**
       * Of a control plane that is installed: istiod's and the gateway's Services become NodePorts. Of an existing one: a
       * Service of our own has a node port for 15012 alone.
       */
      type: z.literal("NodePort"),
      nodeAddresses,
    }),
    map({
      /** The ingress gateway's load balancer carries istiod's port. */
      type: z.literal("LoadBalancer"),
      /** The gateway's Service in an existing mesh. Default: istio-ingressgateway in istio-system. */
      gateway: map({
        service: dnsLabel.default("istio-ingressgateway"),
        namespace: dnsLabel.default("istio-system"),
      }).prefault({}),
    }),
    map({
      /** A gateway of our own, through which hosts reach istiod and nothing else. */
      type: z.literal("EastWestGateway"),
      /** Its namespace. Default: istio-vm. */
      namespace: namespace.default("istio-vm"),
      /** With these its Service is a NodePort. Default: a load balancer. */
      nodeAddresses: nodeAddresses.optional(),
    }),
    map({
      /** A way to istiod that somebody else made. */
      type: z.literal("Address"),
      /** An IP address or a name. */
      address: z.union([address, dnsName], { error: "an IP address or a DNS name" }),
      port: port.default(15012),
    }),
  ],
  { error: EXPOSURES },
);

const operator = z
  .union([path, z.record(z.string(), z.unknown())], { error: "an IstioOperator, or the path of its YAML file" })
  .default({});

const CONTROL_PLANE = "{install: {version: VERSION}} or {existing: {}}";
const controlPlane = z.xor(
  [
    map({
      /** The stack makes it, and destroys it. */
      install: map(
        {
          /** The version of Istio; istioctl must be of this very version. */
          version: is(/^\d+\.\d+\.\d+([-+.][\w.+-]*)?$/, "a version such as 1.31.0"),
          /** An IstioOperator, or the path of its YAML file: it reaches istioctl as it is, and ours is laid upon it. */
          operator,
        },
        "a map with at least `version`",
      ),
    }),
    map({
      /** It is there already: nothing of it is made, changed or owned. */
      existing: map({
        /** The revision that hosts belong to, or a tag of it. Default: default. */
        revision: dnsLabel.default("default"),
      })
        .nullable()
        .transform((given) => given ?? { revision: "default" }),
    }),
  ],
  { error: CONTROL_PLANE },
);

const sha256 = is(/^[0-9a-f]{64}$/, "a SHA-256 in hex");
const SIDECAR_PACKAGE = "{url: URL, sha256: HEX} or {file: PATH, sha256: HEX}";
const sidecarPackage = [
  map({
    /** From where each host fetches it; one that opens something by what it says is a secret. */
    url: z.union([packageUrl, map({ secret: secretName }, "{secret: NAME}")], { error: PACKAGE_URL }),
    sha256,
  }),
  map({
    /** A file here, which is copied to each host that takes it. */
    file: path,
    sha256,
  }),
] as const;
/** What hosts have. */
export const FORMATS = ["deb", "rpm"] as const;
export const ARCHITECTURES = ["amd64", "arm64"] as const;
const ofFormat = map({
  amd64: z.xor(sidecarPackage, { error: SIDECAR_PACKAGE }).optional(),
  arm64: z.xor(sidecarPackage, { error: SIDECAR_PACKAGE }).optional(),
}).refine((packages) => Object.keys(packages).length > 0, "a package for amd64, arm64 or both");
const sidecarPackages = map({ deb: ofFormat.optional(), rpm: ofFormat.optional() }).refine(
  (formats) => Object.keys(formats).length > 0,
  "packages as deb, rpm or both",
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
  /** Hours that a host's certificate is valid, and how long before its end `pulumi up` renews it. Default: 8760, 720. */
  workloadCertificate: map({ validityHours: hours.default(8760), earlyRenewalHours: hours.default(720) }).prefault({}),
  /** How to log in to hosts, unless a host says otherwise. */
  ssh: map({ ...sshServer, host: ofOneMachine, hostKey: ofOneMachine, bastion }).default({}),
  /** The machines that join the mesh. */
  hosts: z.array(host, { error: "a list of hosts" }).default([]),
  /** Run join on every host at each `pulumi up`, so that what was changed there by hand is put right. Default: false. */
  healDrift: z.stringbool({ truthy: ["true"], falsy: ["false"], error: "true or false" }).default(false),
  /** The services that they offer. */
  services: z.array(service, { error: "a list of services" }).default([]),
  /** The istio-sidecar packages for the hosts, each of which takes the one that fits. */
  sidecar: z.xor([...sidecarPackage, sidecarPackages], {
    error: `${SIDECAR_PACKAGE}; or of several {deb: {amd64: ..., arm64: ...}, rpm: ...}`,
  }),
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
export type HostFields = z.infer<typeof host>;
export type ServiceFields = z.infer<typeof service>;
/** Of any SSH server, a bastion's or a host's. */
export type SshFields = Omit<HostFields["ssh"], "host" | "bastion">;
export type SshKey = z.infer<typeof sshKey>;
