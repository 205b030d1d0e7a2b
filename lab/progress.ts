/** Progress of long steps. */
import { Listr, type ListrTaskWrapper, type ListrRenderer } from "listr2";
import { inWords, knownDurations, rememberDuration, secondsLeft } from "./durations";
import type { Log } from "./run";

/** One step of a longer work. */
export interface Step {
  title: string;
  log: Log;
  /** Steps that must have ended, all before it in the list. */
  needs?: Step[];
  /** What its duration is remembered as; if all steps have one, what is left of the whole is shown. */
  name?: string;
  run(log: Log): Promise<void>;
}

type Task = ListrTaskWrapper<unknown, typeof ListrRenderer, typeof ListrRenderer>;

/**
 * Runs steps, showing each with its elapsed time and its log's last line, and how much is left of all; without a
 * terminal, as plain lines.
 * @param concurrent how many at once
 * @throws what the first failed step threw, with the end of its log and the log's path
 */
export async function runSteps(steps: Step[], concurrent = 1): Promise<void> {
  const terminal = process.stdout.isTTY;
  const left = remaining(steps, concurrent);
  const runs = new Map<Step, Promise<void>>();
  let failure: Error | undefined;
  const list = steps.map((step) => ({
    title: step.title,
    task: async (_: unknown, task: Task) => {
      let start = Date.now();
      const elapsed = () => `[${Math.round((Date.now() - start) / 1000)} s]`;
      const show = () => (task.output = `${elapsed()} ${step.log.last}`);
      const ticker = terminal ? setInterval(show, 1000) : undefined;
      const work = Promise.all((step.needs ?? []).flatMap((need) => runs.get(need) ?? [])).then(async () => {
        start = Date.now();
        left.begin(step);
        await step.run(step.log);
        left.end(step);
      });
      runs.set(step, work);
      try {
        await work;
      } catch (error) {
        failure ??= describe(step, error as Error);
        throw new Error(`failed ${elapsed()}`);
      } finally {
        clearInterval(ticker);
      }
      task.title = [`${step.title} ${elapsed()}`, terminal ? "" : left.text()].filter(Boolean).join(", ");
    },
  }));
  const whole = new Listr(terminal && left.text() ? [underClock(list, concurrent, () => left.text())] : list, {
    concurrent,
    renderer: terminal ? "default" : "simple",
  });
  if (!terminal && left.text()) console.log(`${steps.length} to build, ${left.text()}`);
  await whole.run().catch((error: Error) => {
    throw failure ?? error;
  });
}

/** The steps under a line that says how much is left. */
function underClock(list: object[], concurrent: number, text: () => string) {
  return {
    title: text(),
    task: async (_: unknown, task: Task) => {
      const start = Date.now();
      const ticker = setInterval(() => (task.title = text()), 1000);
      const inner = task.newListr(list as never, { concurrent, rendererOptions: { collapseSubtasks: false } });
      try {
        await inner.run(undefined);
      } finally {
        clearInterval(ticker);
      }
      task.title = `built in ${Math.round((Date.now() - start) / 1000)} s`;
    },
  };
}

/** Follows the steps' times; `text` is empty if some step has no name. */
function remaining(steps: Step[], concurrent: number) {
  const known = knownDurations();
  const begun = new Map<Step, number>();
  const ended = new Set<Step>();
  const sinceBegun = (step: Step) => begun.has(step) && (Date.now() - begun.get(step)!) / 1000;
  return {
    begin: (step: Step) => void begun.set(step, Date.now()),
    end(step: Step) {
      ended.add(step);
      if (step.name) rememberDuration(step.name, Math.round(sinceBegun(step) || 0));
    },
    text() {
      if (!steps.every((step) => step.name)) return "";
      const timed = steps.map((step) => ({
        name: step.name!,
        needs: (step.needs ?? []).map((need) => need.name!),
        elapsed: sinceBegun(step) || 0,
        ended: ended.has(step),
      }));
      return inWords(secondsLeft(timed, concurrent, known));
    },
  };
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
