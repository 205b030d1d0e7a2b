import { execa } from "execa";

/** A command that failed, with what it said. */
export class CommandError extends Error {
  constructor(
    readonly command: string,
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
  timedOut?: boolean;
}

/**
 * Runs a command and returns its stdout.
 *
 * @param seconds after which it is ended: whatever hangs must not keep the others' answers back
 * @throws CommandError
 */
export async function capture(command: string, args: string[], input?: string, seconds = 60): Promise<string> {
  try {
    return (await execa(command, args, { input, maxBuffer: 256 << 20, timeout: seconds * 1000 })).stdout;
  } catch (error) {
    const { code, stderr = "", shortMessage = "", timedOut } = error as Failure;
    const said = timedOut ? `${args[0]}: no answer in ${seconds} s` : stderr.trim() || shortMessage;
    throw new CommandError(command, said, code === "ENOENT");
  }
}
