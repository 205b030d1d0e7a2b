import { readFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import type { types } from "@pulumi/command";
import type { SshConfig, SshKey } from "../config";
import { expandHome } from "../mesh/homePath";
import { findHostKey } from "../mesh/knownHosts";

type Endpoint = Omit<SshConfig, "bastion"> & { host: string };

/** A dial that fails is tried again twice: a host that is down is reported in seconds, not minutes. */
const DIAL = { dialErrorLimit: 2, perDialTimeout: 10 };

function privateKey(key: SshKey): pulumi.Output<string> | undefined {
  if ("secret" in key) return new pulumi.Config().requireSecret(key.secret);
  if ("file" in key) return pulumi.secret(readFileSync(expandHome(key.file), "utf8"));
  return undefined;
}

/** The host key to insist on: as configured, or as known_hosts has it; undefined only if the user gave up on it. */
function hostKey(endpoint: Endpoint): string | undefined {
  if (endpoint.hostKey !== undefined) return endpoint.hostKey;
  if (endpoint.verifyHostKey === false) return undefined;
  const { host, port = 22, knownHosts = "~/.ssh/known_hosts" } = endpoint;
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

function connect(endpoint: Endpoint) {
  return {
    host: endpoint.host,
    port: endpoint.port ?? 22,
    user: endpoint.user ?? "root",
    privateKey: privateKey(endpoint.key ?? { agent: true }),
    hostKey: hostKey(endpoint),
    ...DIAL,
  };
}

/**
 * The connection of the command provider to a host, and through its bastion if it has one. Host keys are known before
 * anything is dialled.
 *
 * @throws if a key file can't be read or there is no host key
 */
export function sshConnection(address: string, { bastion, ...ssh }: SshConfig): types.input.remote.ConnectionArgs {
  return {
    ...connect({ ...ssh, host: ssh.host ?? address }),
    ...(bastion === undefined ? {} : { proxy: connect({ ...bastion }) }),
  };
}
