import type { Client } from "ssh2";
import type { HostConfig, SshKey } from "../config";
import { usableSshKey } from "../config/privateKey";
import type { HostFailure } from "../diagnosis/facts";
import { type Endpoint, readKey, sshEndpoint } from "../ssh/endpoint";
import { type Login, loginProblem, withSession } from "../ssh/session";
import type { Stack } from "./stack";

/** A host that could not be asked, and why. */
export class HostError extends Error {
  constructor(
    readonly kind: HostFailure["kind"],
    message: string,
  ) {
    super(message);
  }
}

function login({ bastion, key, ...endpoint }: Endpoint, secret: Stack["secret"]): Login {
  return {
    ...endpoint,
    privateKey: privateKey(key, secret),
    proxy: bastion && login(bastion, secret),
  };
}

/** The private key; undefined for the agent's. */
export function privateKey(key: SshKey, secret: Stack["secret"]): string | undefined {
  if ("agent" in key) return undefined;
  return usableSshKey("secret" in key ? secret(key.secret) : readKey(key.file));
}

/** Logs in to a host as the program does, and gives the session to `use`. @throws HostError */
export async function withHost<T>(
  host: HostConfig,
  secret: Stack["secret"],
  use: (client: Client) => Promise<T>,
): Promise<T> {
  if (host.gone) throw new HostError("gone", "it is marked as gone");
  let to: Login;
  try {
    to = login(sshEndpoint(host.ssh), secret);
  } catch (error) {
    throw new HostError("login", (error as Error).message);
  }
  let entered = false;
  try {
    return await withSession(to, (client) => {
      entered = true;
      return use(client);
    });
  } catch (error) {
    if (entered) throw error;
    const { kind, message } = loginProblem(error as Error, to);
    throw new HostError(kind, message);
  }
}
