import { readFileSync } from "node:fs";
import type { SshConfig, SshKey } from "../config";
import { expandHome } from "../config/homePath";
import { findHostKey } from "./knownHosts";

/** Where and how to log in, with every default filled in. */
export interface Endpoint {
  host: string;
  port: number;
  user: string;
  key: SshKey;
  /** The host key to insist on, `ssh-ed25519 AAAA...`; undefined only if the user gave up on it. */
  hostKey?: string;
  /** The host to go through. */
  bastion?: Endpoint;
}

type SshArgs = Omit<SshConfig, "bastion" | "host"> & { host: string };

function hostKey(args: SshArgs): string | undefined {
  if (args.hostKey !== undefined) return args.hostKey;
  if (args.verifyHostKey === false) return undefined;
  const { host, port = 22, knownHosts = "~/.ssh/known_hosts" } = args;
  let known = "";
  try {
    known = readFileSync(expandHome(knownHosts), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  const found = findHostKey(known, host, port);
  if (found === undefined) {
    throw new Error(
      `${host}: ${knownHosts} has no ed25519 or ecdsa host key for it. Compare what ` +
        `\`ssh-keyscan -t ed25519,ecdsa -p ${port} ${host}\` says with the host's own, then add it there or set ssh.hostKey`,
    );
  }
  return found;
}

function endpoint(args: SshArgs): Endpoint {
  const { host, port = 22, user = "root", key = { agent: true } } = args;
  return { host, port, user, key, hostKey: hostKey(args) };
}

/**
 * How to log in to the host at `address`, and through its bastion if it has one. Host keys are known before anything is
 * dialled.
 *
 * @throws if there is no host key
 */
export function sshEndpoint(address: string, { bastion, ...ssh }: SshConfig): Endpoint {
  return { ...endpoint({ ...ssh, host: ssh.host ?? address }), bastion: bastion && endpoint(bastion) };
}

/** The private key in a file. @throws if it can't be read */
export function readKey(file: string): string {
  return readFileSync(expandHome(file), "utf8");
}
