import * as pulumi from "@pulumi/pulumi";
import type { types } from "@pulumi/command";
import type { SshConfig, SshKey } from "../config";
import { commonForm } from "../config/privateKey";
import { agentProblem } from "./agent";
import { type Endpoint, readKey, sshEndpoint } from "./endpoint";
import { CodedError } from "../mesh/codes";

/** What an output that is known holds. */
export const valueOf = <T>(output: pulumi.Output<T>) => new Promise<T>((resolve) => output.apply(resolve));

/** A dial that fails is tried again twice: a host that is down is reported in seconds, not minutes. */
const DIAL = { dialErrorLimit: 2, perDialTimeout: 10 };

function privateKey(key: SshKey): pulumi.Output<string> | undefined {
  if ("secret" in key) return new pulumi.Config().requireSecret(key.secret).apply(commonForm);
  if ("file" in key) return pulumi.secret(commonForm(readKey(key.file)));
  return undefined;
}

function knownEndpoint(ssh: SshConfig): Endpoint {
  try {
    return sshEndpoint(ssh);
  } catch (error) {
    throw new CodedError("IVM202", (error as Error).message);
  }
}

function connect({ host, port, user, key, hostKey }: Endpoint) {
  return { host, port, user, privateKey: privateKey(key), hostKey, ...DIAL };
}

/**
 * The connection of the command provider to a host, and through its bastion if it has one.
 *
 * @throws if a key file can't be read or there is no host key
 */
export function sshConnection(ssh: SshConfig): types.input.remote.ConnectionArgs {
  const { bastion, ...host } = knownEndpoint(ssh);
  return { ...connect(host), ...(bastion === undefined ? {} : { proxy: connect(bastion) }) };
}

/**
 * To be called before anything is made: the command provider dials the agent that SSH_AUTH_SOCK names even where a key
 * is given, and one that is gone fails every host. What the provider sees is not ours to change.
 *
 * @throws if no agent answers there
 */
export function requireAnsweringAgent(): void {
  const problem = agentProblem();
  if (problem === undefined) return;
  throw new CodedError(
    "IVM208",
    `${problem}: the command provider would fail on every host, even with a key of its own. Nothing was changed; unset SSH_AUTH_SOCK, or start an agent`,
  );
}
