/** Runs one command over SSH, as the real command provider does. */
import { constants } from "node:os";
import { createInterface } from "node:readline";
import { PassThrough, Readable } from "node:stream";
import { finished } from "node:stream/promises";
import type { Client, ClientChannel } from "ssh2";
import type { ResourceRequest } from "../provider";
import { Connection, dial } from "./connection";
import { requireEnvironment } from "./environment";

export interface Run {
  command: string;
  connection: Connection;
  stdin?: string;
  environment?: Record<string, string>;
  addPreviousOutputInEnv?: boolean;
  logging?: "stdout" | "stderr" | "stdoutAndStderr" | "none";
  /** What the last run printed. */
  previous: Partial<Output>;
}

export interface Output {
  stdout: string;
  stderr: string;
}

type Reporter = Pick<ResourceRequest, "log" | "signal">;

/** The command's output, each without its last newline. Throws if it cannot be run, or with its output if it fails. */
export async function run(options: Run, request: Reporter): Promise<Output> {
  const client = await dial(options.connection, request);
  const cancel = () => client.destroy();
  request.signal.addEventListener("abort", cancel);
  try {
    return await execute(client, options, request);
  } catch (error) {
    request.signal.throwIfAborted();
    throw error;
  } finally {
    request.signal.removeEventListener("abort", cancel);
    client.end();
  }
}

async function execute(client: Client, options: Run, request: Reporter): Promise<Output> {
  const { command, logging = "stdoutAndStderr" } = options;
  const { channel, ended } = await start(client, options, request);
  const stdout = collect(channel);
  const stderr = collect(channel.stderr);
  const both = collect(channel, channel.stderr);

  const log = new PassThrough();
  if (logging === "stdout" || logging === "stdoutAndStderr") channel.on("data", (data: Buffer) => log.write(data));
  if (logging === "stderr" || logging === "stdoutAndStderr")
    channel.stderr.on("data", (data: Buffer) => log.write(data));
  createInterface({ input: log }).on("line", (line) => request.log("info#status", line));

  // A process that ends without reading its input is no failure of ours.
  channel.on("error", () => undefined);
  channel.end(options.stdin ?? "");
  const failure = await ended;
  log.end();
  await finished(log);
  if (failure) throw new Error(`${failure}: running ${JSON.stringify(command)}:\n${both()}`);
  return { stdout: stdout().replace(/\n$/, ""), stderr: stderr().replace(/\n$/, "") };
}

function collect(...streams: Readable[]): () => string {
  const chunks: Buffer[] = [];
  for (const stream of streams) stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString();
}

interface Started {
  channel: ClientChannel;
  /** Undefined for success, else what happened. */
  ended: Promise<string | undefined>;
}

function start(client: Client, options: Run, { log }: Reporter): Promise<Started> {
  const { command, environment = {}, addPreviousOutputInEnv = true, previous } = options;
  const optional: Record<string, string> = {};
  if (addPreviousOutputInEnv) {
    if (previous.stdout) optional.PULUMI_COMMAND_STDOUT = previous.stdout;
    if (previous.stderr) optional.PULUMI_COMMAND_STDERR = previous.stderr;
  }
  requireEnvironment(client, (name) => {
    const hint =
      `Unable to set '${name}'. This only works if your SSH server is configured to accept these variables via ` +
      "AcceptEnv. Alternatively, if a Bash-like shell runs the command on the remote host, you could prefix the " +
      "command itself with the variables in the form 'VAR=value command'";
    const required = name in environment;
    log(required ? "error" : "warning", hint);
    return required ? new Error(`could not set environment variable "${name}": ssh: setenv failed`) : undefined;
  });
  return new Promise((resolve, reject) => {
    client.exec(command, { env: { ...optional, ...environment } }, (error, channel) => {
      if (error) reject(error);
      // Listen at once: a quick command's exit status may come with the same packet.
      else resolve({ channel, ended: exit(client, channel) });
    });
  });
}

/** Resolves when all output is there: undefined for success, else what happened, in the words of Go's ssh. */
function exit(client: Client, channel: ClientChannel): Promise<string | undefined> {
  return new Promise((resolve) => {
    let result: string | undefined = "wait: remote command exited without exit status or exit signal";
    channel.on("exit", (status: number | null, signal = "") => {
      const name = signal as NodeJS.Signals;
      if (status === 0) result = undefined;
      else if (status !== null) result = `Process exited with status ${status}`;
      else result = `Process exited with status ${128 + (constants.signals[name] ?? 0)} from signal ${name.slice(3)}`;
    });
    channel.on("close", () => resolve(result));
    client.on("close", () => resolve(result));
  });
}
