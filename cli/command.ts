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

/** Runs a command and returns its stdout. @throws CommandError */
export async function capture(command: string, args: string[], input?: string): Promise<string> {
  try {
    return (await execa(command, args, { input, maxBuffer: 256 << 20 })).stdout;
  } catch (error) {
    const { code, stderr = "", shortMessage = "" } = error as { code?: string; stderr?: string; shortMessage?: string };
    throw new CommandError(command, stderr.trim() || shortMessage, code === "ENOENT");
  }
}
