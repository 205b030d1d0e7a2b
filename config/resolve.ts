/** The configuration with everything filled in: after this nobody merges or defaults again. */
import { takenPorts, takes } from "../mesh/capture";
import { expandHome } from "./homePath";
import type { UserOperator } from "../mesh/istioOperator";
import { DEFAULT_CLUSTER_NAME, DEFAULT_REVISION, DEFAULT_TRUST_DOMAIN } from "../mesh/istiod";
import {
  type Authority,
  ca,
  type HostFields,
  type ServiceFields,
  type SshFields,
  type SshKey,
  type Stack,
} from "./schema";
import { type PackageConfig, packagesOf } from "./sidecar";

/** An SSH server, and how to log in to it. */
export interface SshServer {
  /** The name or address to connect to. */
  host: string;
  port: number;
  user: string;
  /** The private key, and which field of the configuration says so. */
  key: SshKey & { place: string };
  /** The host key, unless it has to be looked up in knownHosts. */
  hostKey?: string;
  knownHosts: string;
  verifyHostKey: boolean;
}

export interface SshConfig extends SshServer {
  /** The host to go through. */
  bastion?: SshServer;
}

/** How a host proves who it is. */
export type IdentityType = NonNullable<HostFields["identity"]>;

export type HostConfig = Omit<HostFields, "ssh" | "labels" | "serviceAccount" | "identity" | "revision" | "sidecar"> & {
  ssh: SshConfig;
  labels: Record<string, string>;
  serviceAccount: string;
  identity: IdentityType;
  /** Of the control plane that it belongs to, or a tag of it. */
  revision: string;
  /** Of these it takes the one that fits. */
  sidecar: PackageConfig[];
};
export type ServiceConfig = ServiceFields;

/** Whose Istio it is. */
export type ControlPlaneConfig =
  | {
      install: {
        version: string;
        /** What the user's IstioOperator says, and its text, which goes to istioctl. */
        operator: Record<string, unknown>;
        operatorText: string;
      };
    }
  | { existing: { revision: string } };

/** A stack's configuration, checked, with all defaults filled in. */
export type Config = Omit<Stack, "ssh" | "hosts" | "controlPlane" | "ca" | "identity" | "sidecar"> & {
  controlPlane: ControlPlaneConfig;
  /** Undefined beside an existing control plane whose CA the user does not have. */
  ca?: Authority;
  hosts: HostConfig[];
  /** The packages of hosts that have none of their own. */
  sidecar: PackageConfig[];
};

/** Whether a host that serves a service lets what comes to it pass its sidecar. */
export const letsPass = ({ name, inboundPorts, ssh }: HostConfig, { hosts, ports }: ServiceConfig) =>
  hosts.includes(name) && !ports.every(({ targetPort }) => takes(inboundPorts, targetPort, ssh.port));

/** The services that a host serves while its sidecar says that it can: of its own namespace, for it speaks for no other. */
export const probedFor = ({ name, namespace, readinessProbe }: HostConfig, services: ServiceConfig[]) =>
  readinessProbe === undefined
    ? []
    : services.filter((service) => service.namespace === namespace && service.hosts.includes(name));

/** Whether the stack makes the control plane. */
export const isInstalled = ({ controlPlane }: Pick<Config, "controlPlane">) => "install" in controlPlane;

/** What of the control plane is said, if the stack makes it. */
export const installationOf = ({ controlPlane }: Pick<Config, "controlPlane">) =>
  "install" in controlPlane ? controlPlane.install : undefined;

function server(fields: SshFields & { host: string }, key: SshServer["key"]): SshServer {
  const { host, hostKey, port = 22, user = "root", verifyHostKey = true } = fields;
  return {
    host,
    port,
    user,
    key,
    hostKey,
    knownHosts: fields.knownHosts ?? expandHome("~/.ssh/known_hosts"),
    verifyHostKey,
  };
}

const AGENT: SshKey = { agent: true };

/** How to log in to a host: what it does not say itself, the stack's `ssh` says. A bastion is another machine. */
function sshOf(ofAll: Stack["ssh"], own: HostFields["ssh"], address: string, index: number): SshConfig {
  const placeOf = (field: "key" | "bastion") => (own[field] === undefined ? "ssh" : `hosts[${index}].ssh`);
  const { bastion, ...merged } = { host: address, ...ofAll, ...own };
  const key = { ...(merged.key ?? AGENT), place: `${placeOf("key")}.key` };
  return {
    ...server({ ...merged, host: merged.host ?? address }, key),
    bastion: bastion && server(bastion, { ...(bastion.key ?? AGENT), place: `${placeOf("bastion")}.bastion.key` }),
  };
}

/** What of a host's traffic goes through its sidecar: nothing, of a gateway. */
function captured({ gateway, capture, inboundPorts }: HostFields) {
  const taken = gateway ? "none" : capture;
  return { capture: taken, inboundPorts: takenPorts(taken, inboundPorts) };
}

/** @param operator what stands in its file, if it is given as one */
export function resolve(
  { ssh, hosts, identity, controlPlane, cluster, sidecar, ...stack }: Stack,
  operator: UserOperator,
): Config {
  const installed = "install" in controlPlane;
  const authority = stack.ca ?? (installed ? ca.parse({}) : undefined);
  const packages = packagesOf(sidecar, "sidecar");
  const revision = installed ? DEFAULT_REVISION : controlPlane.existing.revision;
  return {
    ...stack,
    // Of an existing mesh, what is not said here is what is found there.
    cluster: installed
      ? {
          ...cluster,
          name: cluster.name ?? DEFAULT_CLUSTER_NAME,
          trustDomain: cluster.trustDomain ?? DEFAULT_TRUST_DOMAIN,
        }
      : cluster,
    controlPlane: installed
      ? { install: { version: controlPlane.install.version, operator: operator.content, operatorText: operator.text } }
      : controlPlane,
    ca: authority,
    sidecar: packages,
    hosts: hosts.map((host, index) => ({
      ...host,
      ...captured(host),
      ssh: sshOf(ssh, host.ssh, host.address, index),
      labels: host.labels ?? { app: host.name },
      serviceAccount: host.serviceAccount ?? host.name,
      identity: host.identity ?? identity ?? (authority === undefined ? "token" : "certificate"),
      revision: host.revision ?? revision,
      sidecar: host.sidecar ? packagesOf(host.sidecar, `hosts[${index}].sidecar`) : packages,
    })),
  };
}
