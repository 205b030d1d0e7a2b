/** Progress of long steps. */
import { Listr, type ListrTaskWrapper, type ListrRenderer } from "listr2";
import type { Log } from "./run";

/** One step of a longer work. */
export interface Step {
  title: string;
  log: Log;
  run(log: Log): Promise<void>;
}

/**
 * Runs steps, showing each with its elapsed time and its log's last line; without a terminal, as plain lines.
 * @param concurrent how many at once
 * @throws what the first failed step threw, with the end of its log and the log's path
 */
export async function runSteps(steps: Step[], concurrent = 1): Promise<void> {
  const terminal = process.stdout.isTTY;
  let failure: Error | undefined;
  const list = new Listr(
    steps.map((step) => ({
      title: step.title,
      task: async (_: unknown, task: ListrTaskWrapper<unknown, typeof ListrRenderer, typeof ListrRenderer>) => {
        const start = Date.now();
        const elapsed = () => `[${Math.round((Date.now() - start) / 1000)} s]`;
        const show = () => (task.output = `${elapsed()} ${step.log.last}`);
        const ticker = terminal ? setInterval(show, 1000) : undefined;
        try {
          await step.run(step.log);
        } catch (error) {
          failure ??= describe(step, error as Error);
          throw new Error(`failed ${elapsed()}`);
        } finally {
          clearInterval(ticker);
        }
        task.title = `${step.title} ${elapsed()}`;
      },
    })),
    { concurrent, renderer: terminal ? "default" : "simple" },
  );
  await list.run().catch((error: Error) => {
    throw failure ?? error;
  });
}

function describe(step: Step, error: Error): Error {
  const tail = step.log.tail();
  const parts = [
    `${step.title}: ${error.message}`,
    tail && `The end of its log:\n${tail}`,
    `The log: ${step.log.path}`,
  ];
  return new Error(parts.filter(Boolean).join("\n"));
}
