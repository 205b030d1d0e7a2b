import type { Config, HostConfig } from "../config";
import type { IstiodEndpoint } from "../mesh/environment";
import { type ControlPlane, USUAL_ISTIOD } from "../mesh/istiod";
import type { Surroundings } from "./impact";
import type { Inspection } from "./inspection";

/** Everything that the checks judge. It is gathered first (cli/facts), so that a check is a pure function of it. */
export interface Facts {
  /** The clock of this machine. */
  now: Date;
  tools: Tools;
  /** Why the stack can't be read; then there is no configuration either. */
  stackProblem?: string;
  /** What is wrong with the configuration; then `config` is undefined. */
  configProblems: string[];
  config?: Config;
  local: LocalFacts;
  /** The mark that everything carries that the stack makes; undefined before its first update begins. */
  owner?: string;
  /** What the last `pulumi up` left as the stack's outputs; undefined before the first has ended well. */
  outputs?: Outputs;
  /** The cluster, or why it can't be asked. */
  cluster: Cluster | Unavailable;
  hosts: HostFacts[];
  /** What is around hosts that are yet to join; undefined if there are none, or the cluster does not answer. */
  surroundings?: Surroundings;
}

/** Why something is not known. */
export interface Unavailable {
  problem: string;
  /** Whether it answers, but does not let this user read what is needed. */
  forbidden?: boolean;
}

/** Whether something carries the owner mark of the stack that is looked at. */
export const isOurs = (object: { owner?: string }, { owner }: Pick<Facts, "owner">) =>
  owner !== undefined && object.owner === owner;

export const isUnavailable = (fact: unknown): fact is Unavailable =>
  typeof fact === "object" && fact !== null && "problem" in fact;
export const isAvailable = <T>(fact: T | Unavailable): fact is T => !isUnavailable(fact);

/** What a cluster that answers tells: each fact may be refused by itself. */
export type Cluster = { [Fact in keyof ClusterFacts]: ClusterFacts[Fact] | Unavailable };

/** Versions; undefined for what is not on the PATH. */
export interface Tools {
  node: string;
  /** The least version that package.json asks for. */
  nodeWanted: string;
  pulumi?: string;
  istioctl?: string;
  kubectl?: string;
}

/** What the configuration refers to on this machine. */
export interface LocalFacts {
  /** Hosts whose host key nobody knows, and why. */
  unknownHostKeys: { host: string; problem: string }[];
  /** Places in the configuration whose SSH key can't be used, and why. */
  unusableKeys: { place: string; problem: string }[];
  /** Why no ssh-agent answers at SSH_AUTH_SOCK; undefined if one does, or if that is not set. */
  agentProblem?: string;
  /** The sidecar packages that are files here: which field names them, their digest as it shall be, and as it is. */
  sidecarFiles: { place: string; sha256: string; found: { sha256: string } | Unavailable }[];
  /** Whether ca.provided.caKey is the key of ca.provided.caCert; undefined without them. */
  providedKeyFits?: boolean;
}

/** The stack's outputs (index.ts). */
export interface Outputs {
  /** SHA-256 of the mesh's root certificate. */
  rootFingerprint: string;
  /** The control planes that hosts belong to, by revision. */
  controlPlanes: Record<string, ControlPlane & { tags?: string[]; istiod: IstiodEndpoint }>;
  /** The CAs whose certificates the stack's own mesh believes, the one that signs, and the one that shall be left. */
  authorities?: { known: string[]; signer: string; wanted: string; waitsFor: string[] };
  /** address:port */
  istiod: string;
  meshHosts: Record<
    string,
    { identity: string; istiod: IstiodEndpoint; revision: string; state: string; returnsUntil?: string }
  >;
  services: Record<string, string>;
}

/** The control plane that a host belongs to, as far as there was an update. */
export const controlPlaneOf = (outputs: Outputs | undefined, { revision }: HostConfig) =>
  Object.values(outputs?.controlPlanes ?? {}).find(
    (one) => one.revision === revision || (one.tags?.includes(revision) ?? false),
  );

/** Where a host reaches istiod: as it was told, or, before it joins, as it will be. */
export const istiodOf = (outputs: Outputs | undefined, host: HostConfig): IstiodEndpoint | undefined =>
  outputs?.meshHosts[host.name]?.istiod ?? controlPlaneOf(outputs, host)?.istiod;

/** Where istiod is. */
export type Istiod = Pick<ControlPlane, "service" | "namespace"> &
  Partial<Pick<ControlPlane, "revision" | "rootNamespace">>;

/** The control planes that hosts belong to; before the first update, where the stack installs one. */
export function istiodsOf(outputs: Outputs | undefined): Istiod[] {
  const found = Object.values(outputs?.controlPlanes ?? {});
  return found.length > 0 ? found : [USUAL_ISTIOD];
}

/** Where policies count for the whole mesh. */
export const rootNamespacesOf = (outputs: Outputs | undefined) => [
  ...new Set(istiodsOf(outputs).map((one) => one.rootNamespace ?? one.namespace)),
];

export interface ClusterFacts {
  /** Such as v1.34.4. */
  version: string;
  /** The API server's clock less this machine's, seconds. */
  clockOffset: number;
  nodes: NodeFacts[];
  /**
   * Of each node, seconds since its kubelet renewed its lease, as the one clock said then, to when the lease was read, as
   * this machine's said: what was read in the beginning is old by the time that everything is.
   */
  leases: { node: string; age: number }[];
  /** Namespaces, with the owner mark of the stack that made them. */
  namespaces: { name: string; owner?: string }[];
  /** What this user may not do, such as `create deployments.apps in vm`. */
  forbidden: string[];
  /**
   * The mesh that is there already: its root certificates, its version by revision, where its control planes are and where
   * policies count for all of it, or why hosts can't join it.
   * Undefined if the stack makes it.
   */
  existing?:
    | { rootCerts: string; versions: Record<string, string>; namespaces: string[]; rootNamespaces: string[] }
    | { refusal: string };
  /** Why istioctl makes no manifest of the IstioOperator. */
  manifestProblem?: string;
  /** What `istioctl experimental precheck` reports. */
  precheck: { code: string; level: string; message: string }[];
  /** Deployments of istiod anywhere. */
  istiods: { namespace: string; name: string; owner?: string; available: number; wanted: number }[];
  /** Istio's webhooks that refuse objects (failurePolicy Fail) while nobody serves them. */
  deadWebhooks: DeadWebhook[];
  /** Its service ranges, comma-separated; "*" if it does not tell. */
  serviceCidr: string;
  /** Explicit node ports of the IstioOperator that the API server refuses, and its words. */
  refusedNodePorts: string[];
  /** The Services by which hosts reach istiod, as far as they are there. */
  istiodServices: FoundService[];
  /** The cluster's DNS. */
  dns: {
    /** Whether a name of the cluster resolves in the sample client's pod; undefined where that can't be asked. */
    resolves?: boolean;
    /** Else the Services that look like it, and whether they have a ready endpoint. */
    servers: { name: string; ready: boolean }[];
  };
  /** The certificates in the secret istio-system/cacerts, and the stack that made it. */
  cacerts?: { rootCert: string; caCert: string; certChain: string; owner?: string };
  /** The root certificate that istiod gave to each namespace of the configuration. */
  rootCerts: { namespace: string; pem: string }[];
  /** The proxies that istiod knows, and whether they take roots of another CA at once. Undefined beside an existing mesh. */
  proxies?: { name: string; takesRoots: boolean }[];
  /** Requests from a pod of the mesh: service name -> what came of it. Undefined without a sample client. */
  requests?: Record<string, RequestResult>;
}

export interface DeadWebhook {
  /** Its configuration's name and its own. */
  name: string;
  /** namespace/name of the Service that has no ready endpoint. */
  service: string;
  owner?: string;
}

/** A Service that is there. */
export interface FoundService {
  service: string;
  namespace: string;
  /** istiod's port on it. */
  port?: { nodePort?: number };
}

export interface NodeFacts {
  name: string;
  ready: boolean;
  addresses: string[];
  podCidrs: string[];
}

export interface RequestResult {
  ok: boolean;
  /** The status line, or why there is none. */
  answer: string;
  /** Whether the request could not even be sent from the pod: that says nothing of the service. */
  untried?: boolean;
  milliseconds?: number;
}

/** What came of a TLS handshake with istiod from a host; `untried` if not even that could be begun, and why. */
export type IstiodProof = "proven" | { problem: string } | { untried: string };

export type HostFacts = { name: string } & (
  | {
      inspection: Inspection;
      /** The host's clock less this machine's, seconds. */
      clockOffset: number;
      /** Whether istiod proves to be of this mesh there; undefined before there is one. */
      istiodProof?: IstiodProof;
    }
  | { failure: HostFailure }
);

/** Why a host could not be asked. */
export interface HostFailure {
  kind: "gone" | "login" | "hostKey" | "sudo" | "script";
  /** Without the name of the host. */
  message: string;
}
