import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { Readable } from "node:stream";
import { Client, type ClientChannel } from "ssh2";

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

/** How one logs in. */
export interface SessionOptions {
  /** Whether the session may end with the program, which then does not wait for it. Default: false. */
  background?: boolean;
  /** Milliseconds in which a connection must be there, before the login begins. Default: as long as that may take. */
  dial?: number;
  limits?: typeof LIMITS;
}

/** How a command on a host ended. */
export interface Outcome {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/**
 * Milliseconds: in which a host must have let one in; between two questions to it, of which three in a row that are not
 * answered mean that the session is lost; in which it must have said good-bye.
 */
const LIMITS = { ready: 10_000, question: 5000, goodbye: 1000 };
const UNANSWERED = 3;

async function withDirectSession<T>(
  login: Login,
  sock: Socket | ClientChannel,
  { background, limits }: Required<Omit<SessionOptions, "dial">>,
  use: (client: Client) => Promise<T>,
) {
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
        readyTimeout: limits.ready,
        // ssh2 would keep the program by the timer of its questions.
        ...(!background && { keepaliveInterval: limits.question, keepaliveCountMax: UNANSWERED }),
        ...(expected !== undefined && {
          algorithms: { serverHostKey: [algorithm as "ssh-ed25519"] },
          hostVerifier: (key: Buffer) => key.toString("base64") === expected,
        }),
      });
    });
    const result = await Promise.race([use(client), lost(client)]);
    client.on("error", () => undefined).end();
    setTimeout(() => sock.destroy(), limits.goodbye).unref();
    return result;
  } catch (error) {
    // Politeness to a host that does not answer would keep the program for minutes.
    client.on("error", () => undefined);
    sock.destroy();
    throw error;
  }
}

/** Fails when the session is lost. */
function lost(client: Client): Promise<never> {
  return new Promise((_, reject) => {
    client.once("error", (error: Error & { level?: string }) => {
      reject(error.level === "client-timeout" ? new Error("it does not answer any more: the session was lost") : error);
    });
  });
}

/**
 * Logs in, through the proxy if there is one, sees to it that the host key is the expected one, and gives the session
 * to `use`.
 *
 * @throws when it can't log in within 10 s, or the host does not answer any more for 15 s
 */
export async function withSession<T>(
  { proxy, ...login }: Login,
  use: (client: Client) => Promise<T>,
  { background = false, limits = LIMITS, dial = limits.ready }: SessionOptions = {},
): Promise<T> {
  const options = { background, limits };
  // Of our own, so that it can be given up: ssh2 leaves one half open whose far end does not say good-bye.
  const socket = await connected(proxy ?? login, dial, background);
  if (proxy === undefined) return withDirectSession(login, socket, options, use);
  return withDirectSession(proxy, socket, options, async (bastion) => {
    const channel = await forward(bastion, login.host, login.port ?? 22, dial);
    return withDirectSession(login, channel, options, use);
  });
}

/** A connection, which does not keep the program if it is one in the background. */
async function connected({ host, port = 22 }: Login, limit: number, background: boolean): Promise<Socket> {
  const socket = connect({ host, port });
  if (background) socket.unref();
  const late = setTimeout(() => socket.destroy(new LateError(host, port, limit)), limit).unref();
  try {
    await once(socket, "connect");
    return socket;
  } finally {
    clearTimeout(late);
  }
}

/**
 * A connection from the far end of a session to a server that is reached from there.
 *
 * @param limit milliseconds. Where a firewall swallows what is sent, the far end itself would give up after two minutes
 * @throws when it is refused, or is not there in time
 */
export function forward(client: Client, host: string, port: number, limit = LIMITS.ready): Promise<ClientChannel> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new LateError(host, port, limit)), limit).unref();
    client.forwardOut("127.0.0.1", 0, host, port, (error, channel) => {
      clearTimeout(timer);
      if (error) reject(error);
      else resolve(channel);
    });
  });
}

class LateError extends Error {
  readonly at: string;
  readonly seconds: number;

  constructor(host: string, port: number, limit: number) {
    super(`no connection to ${host}:${port} within ${limit / 1000} s`);
    this.at = `${host}:${port}`;
    this.seconds = limit / 1000;
  }
}

/** How a command is run. */
export interface RunOptions {
  /** Where its output goes while it runs; without it, into the outcome. */
  stdout?: (chunk: Buffer) => void;
  stderr?: (chunk: Buffer) => void;
  /** Milliseconds after which it is given up. Default: a minute; Infinity for one that stays. */
  limit?: number;
  /** It stays until it ends itself: its input ends with this signal only. */
  stays?: AbortSignal;
}

/** Milliseconds in which a command that does not stay must have ended. */
const RUN_LIMIT = 60_000;

/**
 * Runs a command with `stdin` as its input and waits for its end; the exit code is -1 if a signal or a lost line ended it.
 *
 * @throws when it can't be begun, or has not ended in time
 */
export function run(
  client: Client,
  command: string,
  stdin: string | Readable = "",
  options: RunOptions = {},
): Promise<Outcome> {
  const { stays, limit = stays ? Infinity : RUN_LIMIT } = options;
  return new Promise((resolve, reject) => {
    const late = () => reject(new Error(`a command did not end within ${limit / 1000} s`));
    const timer = limit === Infinity ? undefined : setTimeout(late, limit).unref();
    client.exec(command, (error, channel) => {
      if (error) return reject(error);
      const out: Buffer[] = [];
      const err: Buffer[] = [];
      const { stdout = (chunk) => out.push(chunk), stderr = (chunk) => err.push(chunk) } = options;
      let exitCode = -1;
      channel
        .on("data", stdout)
        .on("exit", (status: number | null) => (exitCode = status ?? -1))
        .on("close", () => {
          clearTimeout(timer);
          resolve({ exitCode, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() });
        });
      channel.stderr.on("data", stderr);
      if (stdin instanceof Readable) {
        stdin.on("error", reject).pipe(channel);
        return;
      }
      channel.write(stdin);
      if (stays === undefined || stays.aborted) channel.end();
      else stays.addEventListener("abort", () => channel.end(), { once: true });
    });
  });
}

/** Why one could not log in, in a person's words. */
export function loginProblem(error: Error, { host, port = 22, user = "root" }: Login): LoginError {
  const { message, level, code } = error as Error & { level?: string; code?: string };
  const at = `${host}:${port}`;
  if (/verification failed|no matching host key/i.test(message)) {
    return new LoginError("hostKey", `${at} answers with another host key than the one that is known`);
  }
  if (level === "client-authentication") return new LoginError("login", `${at} does not accept the key for ${user}`);
  if (level === "client-timeout") return new LoginError("login", `${at} does not answer within 10 s`);
  if (error instanceof LateError)
    return new LoginError("login", `${error.at} does not answer within ${error.seconds} s`);
  if (code === "ECONNREFUSED") return new LoginError("login", `${at} refuses connections: does sshd run?`);
  return new LoginError("login", `${at}: ${message}`);
}

/** One could not log in. */
export class LoginError extends Error {
  constructor(
    readonly kind: "hostKey" | "login",
    message: string,
  ) {
    super(message);
  }
}
