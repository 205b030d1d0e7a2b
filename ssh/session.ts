import { connect } from "node:net";
import { Client, type ClientChannel, type ConnectConfig } from "ssh2";

/** Where and how to log in, with the key at hand. */
export interface Login {
  host: string;
  port?: number;
  user?: string;
  /** Without it the running agent is asked. */
  privateKey?: string;
  /** The host key to insist on, `ssh-ed25519 AAAA...`; without it, whoever answers is believed. */
  hostKey?: string;
  /** The host to go through. */
  proxy?: Login;
}

/** How a command on a host ended. */
export interface Outcome {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** Milliseconds in which a host must have let one in. */
const READY_TIMEOUT = 10_000;

async function withDirectSession<T>(login: Login, sock: ConnectConfig["sock"], use: (client: Client) => Promise<T>) {
  const client = new Client();
  const [algorithm, expected] = login.hostKey?.split(" ") ?? [];
  try {
    await new Promise<void>((resolve, reject) => {
      client.once("ready", resolve).once("error", reject);
      client.once("close", () => reject(new Error("the connection was closed")));
      client.connect({
        host: login.host,
        port: login.port ?? 22,
        username: login.user ?? "root",
        privateKey: login.privateKey,
        agent: login.privateKey === undefined ? process.env.SSH_AUTH_SOCK : undefined,
        sock,
        readyTimeout: READY_TIMEOUT,
        ...(expected !== undefined && {
          algorithms: { serverHostKey: [algorithm as "ssh-ed25519"] },
          hostVerifier: (key: Buffer) => key.toString("base64") === expected,
        }),
      });
    });
    return await use(client);
  } finally {
    client.on("error", () => undefined).end();
  }
}

/**
 * Logs in, through the proxy if there is one, sees to it that the host key is the expected one, and gives the session
 * to `use`.
 *
 * @param background whether the session may end with the program, which then does not wait for it
 * @throws when it can't log in within 10 s
 */
export async function withSession<T>(
  { proxy, ...login }: Login,
  use: (client: Client) => Promise<T>,
  { background = false } = {},
): Promise<T> {
  const { host, port = 22 } = proxy ?? login;
  const socket = background ? connect({ host, port }).unref() : undefined;
  if (proxy === undefined) return withDirectSession(login, socket, use);
  return withDirectSession(proxy, socket, async (bastion) => {
    return withDirectSession(login, await forward(bastion, login.host, login.port ?? 22), use);
  });
}

/**
 * A connection from the far end of a session to a server that is reached from there.
 *
 * @param limit milliseconds. Where a firewall swallows what is sent, the far end itself would give up after two minutes
 * @throws when it is refused, or is not there in time
 */
export function forward(client: Client, host: string, port: number, limit = READY_TIMEOUT): Promise<ClientChannel> {
  return new Promise((resolve, reject) => {
    const late = () => reject(new Error(`no connection to ${host}:${port} within ${limit / 1000} s`));
    const timer = setTimeout(late, limit).unref();
    client.forwardOut("127.0.0.1", 0, host, port, (error, channel) => {
      clearTimeout(timer);
      if (error) reject(error);
      else resolve(channel);
    });
  });
}

/** Where the output of a command goes while it runs. */
export interface Sinks {
  stdout?: (chunk: Buffer) => void;
  stderr?: (chunk: Buffer) => void;
}

/** Runs a command with `stdin` as its input and waits for its end; the exit code is -1 if a signal or a lost line ended it. */
export function run(client: Client, command: string, stdin = "", sinks: Sinks = {}): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    client.exec(command, (error, channel) => {
      if (error) return reject(error);
      const out: Buffer[] = [];
      const err: Buffer[] = [];
      const { stdout = (chunk) => out.push(chunk), stderr = (chunk) => err.push(chunk) } = sinks;
      let exitCode = -1;
      channel
        .on("data", stdout)
        .on("exit", (status: number | null) => (exitCode = status ?? -1))
        .on("close", () =>
          resolve({ exitCode, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() }),
        );
      channel.stderr.on("data", stderr);
      channel.end(stdin);
    });
  });
}

/** Runs a command that stays until the session ends, or until the signal: then its input ends. */
export function stay(client: Client, command: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    client.exec(command, (error, channel) => {
      if (error) return reject(error);
      channel.on("close", resolve).resume();
      channel.stderr.resume();
      if (signal.aborted) channel.end();
      else signal.addEventListener("abort", () => channel.end(), { once: true });
    });
  });
}
