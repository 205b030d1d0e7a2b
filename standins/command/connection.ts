/** SSH connections as the real command provider (Go's ssh) makes them: defaults, retries, proxy, host key, errors. */
import { connect as connectSocket, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { getSystemErrorMessage } from "node:util";
import { Client, ConnectConfig, utils } from "ssh2";
import type { ResourceRequest } from "../provider";

/** How to reach one machine: the checked inputs, with defaults. */
export interface Endpoint {
  host: string;
  port: number;
  user: string;
  privateKey?: string;
  /** Failed attempts after which to give up, beyond the first; -1: never give up. */
  dialErrorLimit: number;
  /** Seconds for the TCP connection of each attempt; 0: no limit. What comes after has none. */
  perDialTimeout: number;
  /** The only key that the server may show, in authorized_keys form. Without it, any key will do. */
  hostKey?: string;
}

export interface Connection extends Endpoint {
  proxy?: Endpoint;
}

type Reporter = Pick<ResourceRequest, "log" | "signal">;

/**
 * A connection to the machine, to be closed by the caller.
 * @throws the last attempt's error; at once for what no retry can mend: a key or an agent that can't be used
 */
export async function dial(connection: Connection, request: Reporter): Promise<Client> {
  const { proxy, dialErrorLimit } = connection;
  const login = await loginWith(connection);
  if (!proxy) {
    return withRetry("Dial", dialErrorLimit, request, async () => handshake(await dialTcp(connection), login));
  }
  try {
    const proxyLogin = await loginWith(proxy);
    const bastion = await withRetry("Dial proxy", proxy.dialErrorLimit, request, async () =>
      handshake(await dialTcp(proxy), proxyLogin),
    );
    try {
      const client = await withRetry("Dial from proxy", dialErrorLimit, request, async () =>
        handshake(await forward(bastion, connection), login),
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

function dialTcp({ host, port, perDialTimeout }: Endpoint): Promise<Duplex> {
  const target = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  return dialSocket({ host, port, timeout: perDialTimeout * 1000 }, `tcp ${target}`);
}

function dialSocket(where: { path: string } | { host: string; port: number; timeout: number }, target: string) {
  return new Promise<Duplex>((resolve, reject) => {
    const socket = connectSocket(where);
    const fail = (message: string) => {
      socket.destroy();
      reject(new Error(message));
    };
    socket.once("timeout", () => fail(`dial ${target}: i/o timeout`));
    socket.once("error", (error) => fail(dialError(error, target)));
    socket.once("connect", () => {
      socket.removeAllListeners();
      // TCP_NODELAY as in Go; without it, each step of the protocol may wait for a delayed acknowledgement.
      resolve(socket.setTimeout(0).setNoDelay());
    });
  });
}

/** What Go says when a connection can't be made. */
function dialError(error: Error, target: string): string {
  const [first] = error instanceof AggregateError ? (error.errors as Error[]) : [error];
  const { code, errno, syscall, hostname } = first as NodeJS.ErrnoException & { hostname?: string };
  if (syscall === "getaddrinfo") return `dial tcp: lookup ${hostname}: no such host`;
  const reason = code === "EHOSTUNREACH" ? "no route to host" : getSystemErrorMessage(errno!);
  return `dial ${target}: connect: ${reason}`;
}

function forward(bastion: Client, { host, port }: Endpoint): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    bastion.forwardOut("127.0.0.1", 0, host, port, (error, channel) => {
      if (!error) return resolve(channel);
      reject(new Error(error.message.replace(/^.*Channel open failure: (.*)$/, "ssh: rejected: connect failed ($1)")));
    });
  });
}

/** How to log in, and what Go's ssh says if the server does not let us. */
interface Login {
  config: ConnectConfig;
  refused: string;
  /** Whether the server has shown a key that it must not have. */
  mismatch: boolean;
}

function handshake(sock: Duplex, login: Login): Promise<Client> {
  const client = new Client();
  login.mismatch = false;
  const { localAddress, localPort, remoteAddress, remotePort } = sock as Socket;
  const reset = `read tcp ${localAddress}:${localPort}->${remoteAddress}:${remotePort}: read: connection reset by peer`;
  return new Promise((resolve, reject) => {
    const fail = (error: Error & { level?: string }) => {
      client.destroy();
      let reason = error.message;
      if (login.mismatch) reason = "ssh: host key mismatch";
      else if (error.level === "client-authentication") reason = login.refused;
      else if (/no matching host key/.test(reason)) reason = "ssh: no common algorithm for host key";
      else if (/^Connection lost before handshake/.test(reason)) reason = "EOF";
      else if ((error as NodeJS.ErrnoException).code === "ECONNRESET") reason = reset;
      reject(new Error(`ssh: handshake failed: ${reason}`, { cause: error }));
    };
    client.on("ready", () => resolve(client));
    // Stays for the client's life: an "error" event without a listener would end the whole plugin.
    client.on("error", fail);
    client.on("close", () => fail(new Error("EOF")));
    client.connect({ ...login.config, sock });
  });
}

/** @throws if the host key or the private key can't be read, or SSH_AUTH_SOCK leads to no agent, whether used or not */
async function loginWith({ user: username, privateKey, hostKey }: Endpoint): Promise<Login> {
  if (privateKey !== undefined) checkPrivateKey(privateKey);
  const agent = process.env.SSH_AUTH_SOCK || undefined;
  if (agent !== undefined) (await dialSocket({ path: agent }, `unix ${agent}`)).destroy();

  // Go tries each method once, so keys of the agent only if none is given.
  const credential = privateKey !== undefined ? "publickey" : agent !== undefined ? "agent" : undefined;
  const attempted = credential === undefined ? "none" : "none publickey";
  const login: Login = {
    config: {
      username,
      privateKey,
      agent,
      authHandler: credential === undefined ? ["none"] : ["none", credential],
      readyTimeout: 0,
    },
    refused: `ssh: unable to authenticate, attempted methods [${attempted}], no supported methods remain`,
    mismatch: false,
  };
  if (hostKey === undefined) return login;

  const expected = publicKey(hostKey);
  // Asks the server for no other kind of key.
  login.config.algorithms = { serverHostKey: [expected.type] };
  login.config.hostVerifier = (shown: Buffer) => !(login.mismatch = !shown.equals(expected.getPublicSSH()));
  return login;
}

function checkPrivateKey(privateKey: string): void {
  const parsed = utils.parseKey(privateKey);
  if (!(parsed instanceof Error)) return;
  const encrypted = /passphrase/.test(parsed.message);
  throw new Error(encrypted ? "ssh: this private key is passphrase protected" : "ssh: no key found");
}

function publicKey(hostKey: string) {
  const [, type, base64] = /(?:^|\s)((?:ssh|ecdsa)-\S+)\s+([A-Za-z0-9+/]+=*)(?:\s|$)/.exec(hostKey) ?? [];
  const key = utils.parseKey(`${type} ${base64}`);
  if (key instanceof Error) throw new Error("failed to parse host key: ssh: no key found");
  return key;
}

/** Tries again after 0.1 s, then 1.5 times longer each time, up to 5 s. `limit` as in `dialErrorLimit`. */
async function withRetry<T>(
  what: string,
  limit: number,
  { log, signal }: Reporter,
  attempt: () => Promise<T>,
): Promise<T> {
  for (let failures = 1; ; failures++) {
    try {
      return await attempt();
    } catch (error) {
      if (limit >= 0 && failures > limit) {
        throw new Error(`after ${failures - 1} failed attempts: ${(error as Error).message}`, { cause: error });
      }
      log("info#status", `${what} ${failures}/${limit < 0 ? "inf" : limit} failed: retrying`);
      await delay(Math.min(100 * 1.5 ** (failures - 1), 5000), undefined, { signal }).catch(() =>
        signal.throwIfAborted(),
      );
    }
  }
}
