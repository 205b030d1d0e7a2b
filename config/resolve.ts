/** The configuration with everything filled in: after this nobody merges or defaults again. */
import { expandHome } from "./homePath";
import type { UserOperator } from "../mesh/istioOperator";
import { type PackageConfig, packagesOf } from "./sidecar";
import type { HostFields, ServiceFields, SshFields, SshKey, Stack } from "./schema";

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

export type HostConfig = Omit<HostFields, "ssh" | "labels"> & { ssh: SshConfig; labels: Record<string, string> };
export type ServiceConfig = ServiceFields;

/** A stack's configuration, checked, with all defaults filled in. */
export type Config = Omit<Stack, "ssh" | "hosts" | "istioOperator" | "sidecar"> & {
  hosts: HostConfig[];
  /** The packages, each for the hosts that it fits. */
  sidecar: PackageConfig[];
  /** What the user's IstioOperator says, and its text, which goes to istioctl. */
  istioOperator: Record<string, unknown>;
  istioOperatorText: string;
};

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

/** @param operator what stands in its file, if it is given as one */
export function resolve({ ssh, hosts, sidecar, ...stack }: Stack, operator: UserOperator): Config {
  return {
    ...stack,
    istioOperator: operator.content,
    istioOperatorText: operator.text,
    sidecar: packagesOf(sidecar),
    hosts: hosts.map((host, index) => ({
      ...host,
      ssh: sshOf(ssh, host.ssh, host.address, index),
      labels: host.labels ?? { app: host.name },
    })),
  };
}
