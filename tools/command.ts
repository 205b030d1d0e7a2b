import { execa } from "execa";

/** A command that failed, with what it said. */
export class CommandError extends Error {
  constructor(
    readonly command: string,
    readonly args: string[],
    readonly output: string,
    /** Whether there is no such command. */
    readonly missing: boolean,
  ) {
    super(missing ? `${command} is not on the PATH` : `${command}: ${output}`);
  }
}

interface Failure {
  code?: string;
  stderr?: string;
  shortMessage?: string;
}

/**
 * Runs a command and returns its stdout.
 *
 * @param seconds after which it is ended: whatever hangs must not keep the others' answers back
 * @throws CommandError
 */
export async function capture(command: string, args: string[], input?: string, seconds = 60): Promise<string> {
  // Not by `timeout`: of a command that there is not, Node would wait for its end before it ends itself.
  const signal = AbortSignal.timeout(seconds * 1000);
  const child = execa(command, args, { maxBuffer: 256 << 20, signal });
  // One that ends without reading its input says why; to execa, the pipe that broke would be the reason.
  child.stdin?.removeAllListeners("error").on("error", () => undefined);
  child.stdin?.end(input ?? "");
  try {
    return (await child).stdout;
  } catch (error) {
    const { code, stderr = "", shortMessage = "" } = error as Failure;
    const said = signal.aborted ? `${args[0]}: no answer in ${seconds} s` : stderr.trim() || shortMessage;
    throw new CommandError(command, args, said, code === "ENOENT");
  }
}

/** What a command answered, as JSON. @throws saying which command did not: a proxy in between may answer in HTML */
export function parseJson<T>(text: string, command: string): T {
  try {
    return JSON.parse(text) as T;
  } catch {
    throw new Error(`${command}: it answered no JSON, but ${JSON.stringify(text.trim().slice(0, 200))}`);
  }
}
