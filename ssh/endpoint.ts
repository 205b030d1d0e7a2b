import { readFileSync } from "node:fs";
import type { SshConfig, SshKey, SshServer } from "../config";
import { findHostKey } from "./knownHosts";

/** Where and how to log in. */
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

function lookUpHostKey({ host, port, knownHosts }: SshServer): string {
  let known = "";
  try {
    known = readFileSync(knownHosts, "utf8");
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

function endpoint(server: SshServer): Endpoint {
  const { host, port, user, key, hostKey = server.verifyHostKey ? lookUpHostKey(server) : undefined } = server;
  return { host, port, user, key, hostKey };
}

/**
 * How to log in to a host, and through its bastion if it has one. Host keys are known before anything is dialled.
 *
 * @throws if there is no host key
 */
export function sshEndpoint({ bastion, ...server }: SshConfig): Endpoint {
  return { ...endpoint(server), bastion: bastion && endpoint(bastion) };
}

/** The private key in a file. @throws if it can't be read */
export function readKey(file: string): string {
  return readFileSync(file, "utf8");
}
