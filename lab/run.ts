/** Running commands, and waiting for conditions. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

/** What every time-out is multiplied with, on a machine that is much slower than others. */
export const patience = Number(process.env.ISTIO_VM_PATIENCE ?? 1);

/** The log of one step: a file, and its last line for the progress display. */
export class Log {
  /** The last line written, without terminal codes. */
  last = "";

  constructor(readonly path: string) {
    mkdirSync(dirname(path), { recursive: true });
  }

  write(text: string): void {
    appendFileSync(this.path, text);
    const line = text
      .trimEnd()
      .split(/[\n\r]/)
      .at(-1);
    if (line) this.last = line.replace(/\x1b\[[0-9;?]*[a-zA-Z]/g, "");
  }

  /** The last lines of the log file; none if nothing was written. */
  tail(lines = 15): string {
    if (!existsSync(this.path)) return "";
    return readFileSync(this.path, "utf8").trimEnd().split("\n").slice(-lines).join("\n");
  }
}

export interface RunOptions {
  /** Where output goes besides the result. */
  log?: Log;
  cwd?: string;
  /** Added to this process's environment. */
  env?: Record<string, string | undefined>;
  input?: string;
  /** Kills the command when it fires. */
  signal?: AbortSignal;
  /** Seconds after which the command is killed. */
  timeout?: number;
  /**
   * Puts the command in a PID and a mount namespace of its own that ends with this process, however this process ends:
   * nothing of a build goes on, and nothing stays mounted, after kill -9.
   */
  contained?: boolean;
}

const container = "setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc --".split(" ");

/**
 * Runs a command to its end.
 * @returns what it wrote to stdout
 * @throws with its status and its last lines, if it fails
 */
export async function run(argv: string[], options: RunOptions = {}): Promise<string> {
  const [command, ...args] = options.contained ? [...container, ...argv] : argv;
  options.log?.write(`+ ${argv.join(" ")}\n`);
  const child = spawn(command!, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    timeout: options.timeout && options.timeout * 1000 * patience,
    signal: options.signal,
    killSignal: "SIGKILL",
  });
  let stdout = "";
  let all = "";
  const collect = (data: Buffer) => {
    all += data.toString();
    options.log?.write(data.toString());
  };
  child.stdout.on("data", (data: Buffer) => (stdout += data.toString())).on("data", collect);
  child.stderr.on("data", collect);
  // A command that ends without reading its input has its own reasons; its status tells.
  child.stdin.on("error", () => undefined).end(options.input);
  const [status, signal] = (await once(child, "close")) as [number | null, string | null];
  if (status === 0) return stdout;
  const said = options.log ? "" : all.trimEnd().split("\n").slice(-10).join("\n");
  throw new Error(`${argv.slice(0, 6).join(" ")} failed (${signal ?? `status ${status}`})${said && `:\n${said}`}`);
}

/** Whether a command succeeds. */
export function succeeds(argv: string[], options: RunOptions = {}): Promise<boolean> {
  return run(argv, options).then(
    () => true,
    () => false,
  );
}

/**
 * Waits until `check` returns something truthy, asking again every 100 ms after it has answered.
 * @param what what is waited for, in words that complete "waiting for ..."
 * @param seconds how long at most
 * @throws after that time, with what `why` says
 */
export async function until<T>(
  what: string,
  seconds: number,
  check: () => T | Promise<T>,
  why: () => string = () => "",
): Promise<NonNullable<T>> {
  const end = Date.now() + seconds * 1000 * patience;
  for (;;) {
    const found = await check();
    if (found) return found;
    if (Date.now() > end) throw new Error(`waited ${seconds * patience} s for ${what}, in vain\n${why()}`.trimEnd());
    await delay(100);
  }
}
