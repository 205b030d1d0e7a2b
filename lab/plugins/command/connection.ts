/** SSH connections as the real command provider makes them: defaults, retries, proxy, host key. */
import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { AuthenticationType, Client, ConnectConfig, utils } from "ssh2";
import type { ResourceRequest } from "../provider";

/** How to reach one machine: the checked inputs, with defaults. */
export interface Endpoint {
  host: string;
  port: number;
  user: string;
  password?: string;
  privateKey?: string;
  privateKeyPassword?: string;
  agentSocketPath?: string;
  /** Failed attempts after which to give up, beyond the first; -1: never give up. */
  dialErrorLimit: number;
  /** Seconds for each attempt; 0: no limit. */
  perDialTimeout: number;
  /** The only key that the server may show, in authorized_keys form. Without it, any key will do. */
  hostKey?: string;
}

export interface Connection extends Endpoint {
  proxy?: Endpoint;
}

/** A connection to the machine, to be closed by the caller. Throws the last attempt's error. */
export async function dial(connection: Connection, request: Pick<ResourceRequest, "log" | "signal">): Promise<Client> {
  const config = clientConfig(connection);
  const { proxy, dialErrorLimit } = connection;
  if (!proxy) return withRetry("Dial", dialErrorLimit, request, () => connect(config));

  const proxyConfig = clientConfig(proxy);
  try {
    const bastion = await withRetry("Dial proxy", proxy.dialErrorLimit, request, () => connect(proxyConfig));
    try {
      const client = await withRetry("Dial from proxy", dialErrorLimit, request, async () =>
        connect({ ...config, sock: await forward(bastion, connection) }),
      );
      return client.on("close", () => bastion.end());
    } catch (error) {
      bastion.end();
      throw error;
    }
  } catch (error) {
    throw new Error(`proxy: ${(error as Error).message}`, { cause: error });
  }
}

function forward(bastion: Client, { host, port }: Endpoint): Promise<Readable> {
  return new Promise((resolve, reject) => {
    bastion.forwardOut("127.0.0.1", 0, host, port, (error, channel) => (error ? reject(error) : resolve(channel)));
  });
}

function connect({ password, ...config }: ConnectConfig): Promise<Client> {
  const client = new Client();
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => {
      client.destroy();
      reject(new Error(`ssh: ${error.message}`, { cause: error }));
    };
    client.on("ready", () => resolve(client));
    // Stays for the client's life: an "error" event without a listener would end the whole plugin.
    client.on("error", fail);
    client.on("close", () => fail(new Error("the server closed the connection")));
    client.on("keyboard-interactive", (_name, _instructions, _language, prompts, answer) =>
      answer(prompts.map(() => password ?? "")),
    );
    client.connect({ password, ...config });
    client.setNoDelay(); // As Go does; without it, each step of the protocol may wait for a delayed acknowledgement.
  });
}

/** Throws at once for what no retry can mend: a host key or a private key that cannot be read. */
function clientConfig(endpoint: Endpoint): ConnectConfig {
  const { host, port, user: username, password, privateKey, privateKeyPassword: passphrase } = endpoint;
  if (privateKey !== undefined) {
    const parsed = utils.parseKey(privateKey, passphrase);
    if (parsed instanceof Error) throw new Error(`connection.privateKey cannot be read: ${parsed.message}`);
  }
  const agent = endpoint.agentSocketPath ?? (process.env.SSH_AUTH_SOCK || undefined);
  const methods: [AuthenticationType, unknown][] = [
    ["publickey", privateKey],
    ["password", password],
    ["keyboard-interactive", password],
    // Go tries each method once, so keys of the agent only if none is given; that is what the real one does.
    ["agent", privateKey === undefined ? agent : undefined],
  ];
  return {
    host,
    port,
    username,
    password,
    privateKey,
    passphrase,
    agent,
    tryKeyboard: password !== undefined,
    authHandler: ["none", ...methods.flatMap(([method, credential]) => (credential === undefined ? [] : [method]))],
    readyTimeout: endpoint.perDialTimeout * 1000,
    ...(endpoint.hostKey === undefined ? {} : fixedHostKey(endpoint.hostKey)),
  };
}

/** Accepts exactly this key, and asks the server for no other kind of key. */
function fixedHostKey(hostKey: string): ConnectConfig {
  const [, type, base64] = /(?:^|\s)((?:ssh|ecdsa)-\S+)\s+([A-Za-z0-9+/]+=*)(?:\s|$)/.exec(hostKey) ?? [];
  const expected = utils.parseKey(`${type} ${base64}`);
  if (expected instanceof Error)
    throw new Error("failed to parse host key: connection.hostKey must be like 'ssh-ed25519 AAAA...'");
  return {
    algorithms: { serverHostKey: [expected.type] },
    hostVerifier: (shown: Buffer) => shown.equals(expected.getPublicSSH()),
  };
}

/** Tries again after 0.1 s, then 1.5 times longer each time, up to 5 s. `limit` as in `dialErrorLimit`. */
async function withRetry<T>(
  what: string,
  limit: number,
  { log, signal }: Pick<ResourceRequest, "log" | "signal">,
  attempt: () => Promise<T>,
): Promise<T> {
  for (let failures = 1; ; failures++) {
    signal.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      if (limit >= 0 && failures > limit) {
        throw new Error(`after ${failures - 1} failed attempts: ${(error as Error).message}`, { cause: error });
      }
      log("info#status", `${what} ${failures}/${limit < 0 ? "inf" : limit} failed: retrying`);
      await delay(Math.min(100 * 1.5 ** (failures - 1), 5000), undefined, { signal });
    }
  }
}
