/** Runs one command over SSH, as the real command provider does. */
import { constants } from "node:os";
import { createInterface } from "node:readline";
import { PassThrough, Readable } from "node:stream";
import { finished } from "node:stream/promises";
import type { Client, ClientChannel } from "ssh2";
import type { ResourceRequest } from "../provider";
import { Connection, dial } from "./connection";

export interface Run {
  command: string;
  connection: Connection;
  stdin?: string;
}

export interface Output {
  stdout: string;
  stderr: string;
}

type Reporter = Pick<ResourceRequest, "log" | "signal">;

/**
 * The command's output, each without its last newline. Once it runs, it runs to its end: a cancelled update waits.
 * @throws if it can't be run, or with its output if it fails
 */
export async function run({ command, connection, stdin = "" }: Run, request: Reporter): Promise<Output> {
  const client = await dial(connection, request);
  try {
    const { channel, ended } = await start(client, command);
    const stdout = collect(channel);
    const stderr = collect(channel.stderr);

    const log = new PassThrough();
    for (const stream of [channel, channel.stderr]) stream.on("data", (data: Buffer) => log.write(data));
    createInterface({ input: log }).on("line", (line) => request.log("info#status", line));

    // A process that ends without reading its input is no failure of ours.
    channel.on("error", () => undefined);
    channel.end(stdin);
    const failure = await ended;
    log.end();
    await finished(log);
    if (failure) throw new Error(`${failure}: running ${JSON.stringify(command)}:\n${inAnyOrder(stdout(), stderr())}`);
    return { stdout: stdout().replace(/\n$/, ""), stderr: stderr().replace(/\n$/, "") };
  } finally {
    client.end();
  }
}

function collect(stream: Readable): () => string {
  const chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString();
}

/**
 * What a failed command has said. The real provider collects it by two writers: which of the streams comes first is
 * chance, and nothing may depend on it.
 */
export function inAnyOrder(stdout: string, stderr: string, chance = Math.random()): string {
  return chance < 0.5 ? stdout + stderr : stderr + stdout;
}

interface Started {
  channel: ClientChannel;
  /** Undefined for success, else what happened. */
  ended: Promise<string | undefined>;
}

function start(client: Client, command: string): Promise<Started> {
  return new Promise((resolve, reject) => {
    client.exec(command, (error, channel) => {
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
