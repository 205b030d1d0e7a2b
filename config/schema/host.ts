/** The machines that join the mesh, and how to log in to them. */
import { z } from "zod";
import { CAPTURES } from "../../mesh/capture";
import { RESERVED_VARIABLES } from "../../mesh/environment";
import { labels } from "../labels";
import { readinessProbe } from "./readinessProbe";
import { sidecar } from "./sidecar";
import {
  address,
  dnsLabel,
  dnsName,
  hostKey,
  hostName,
  is,
  map,
  namespace,
  path,
  port,
  secretName,
  text,
} from "./values";

const WEIGHT = "a whole number, 1 to 10000";

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
export const sshServer = {
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
export const bastion = map(
  { ...sshServer, host: hostName, hostKey: hostKey.optional() },
  "a map with at least `host`",
).optional();

/** Each machine has its own, so it makes no sense for all of them. */
export const ofOneMachine = z.never({ error: "it in hosts[].ssh: each machine has its own" }).optional();

export const identity = z.enum(["certificate", "token"], { error: "certificate or token" });

export const host = map({
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
  /** Its own sidecar packages, such as those of its revision's version. Default: the stack's `sidecar`. */
  sidecar: sidecar.optional(),
  /** The network that it is in, as Istio knows it (ISTIO_META_NETWORK). Default: the cluster's. */
  network: dnsLabel.optional(),
  /**
   * What goes through the sidecar, by rules of iptables that redirect it there. `all`: what comes to inboundPorts, and what
   * the host sends into serviceCidr. `inbound`: what comes to inboundPorts alone. `none`: nothing, and no rule is made; the
   * sidecar runs, and has an identity. What is not taken is plain text, for the mesh's clients as well. Default: all.
   */
  capture: z.enum(CAPTURES, { error: "none, inbound or all" }).default("all"),
  /**
   * true: it leads from other networks into its own, for the mesh alone (15443), at its address; it serves and calls nothing
   * itself. Default: false.
   */
  gateway: z.boolean({ error: "true or false" }).default(false),
  /** The TCP ports that the sidecar serves, or "*" for all but SSH and the sidecar's own. */
  inboundPorts: z.union([z.array(port, { error: "a list of ports" }), z.literal("*")], {
    error: 'a list of ports, or "*"',
  }),
  /**
   * true: programs on the host know the names of the mesh's services (name.namespace, name.namespace.svc.cluster.local),
   * which the sidecar's agent answers; all else the host's own name servers do, also when there is no sidecar just then.
   * Default: false.
   */
  dns: z.boolean({ error: "true or false" }).default(false),
  /** The share of requests that it gets, beside other hosts of its services. Default: 1, as the others. */
  weight: z.int({ error: WEIGHT }).min(1, WEIGHT).max(10_000, WEIGHT).optional(),
  /** Where it is, for locality load balancing. Default: not known. */
  locality: is(/^[^\s/]+(\/[^\s/]+){0,2}$/, "a locality: REGION, REGION/ZONE or REGION/ZONE/SUBZONE").optional(),
  /** By which its services know whether it can serve: they leave it out while it can't. Default: it can. */
  readinessProbe: readinessProbe.optional(),
  /**
   * true: its services send it nothing new, as for maintenance; it stays in the mesh, and open requests end. Default: false.
   */
  drain: z.boolean({ error: "true or false" }).default(false),
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

export type HostFields = z.infer<typeof host>;
/** Of any SSH server, a bastion's or a host's. */
export type SshFields = Omit<HostFields["ssh"], "host" | "bastion">;
export type SshKey = z.infer<typeof sshKey>;
