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
      // The display ends with the first failure, and must not be touched after that.
      const show = () => failure ?? (task.output = `${elapsed()} ${step.log.last}`);
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
      if (!failure) task.title = [`${step.title} ${elapsed()}`, terminal ? "" : left.text()].filter(Boolean).join(", ");
    },
  }));
  let ticker: NodeJS.Timeout | undefined;
  /** The steps under a line that says how much is left. */
  const underClock = {
    title: left.text(),
    task: (_: unknown, task: Task) => {
      ticker = setInterval(() => failure ?? (task.title = left.text()), 1000);
      left.done = () => void (task.title = left.text());
      return task.newListr(list, { concurrent, rendererOptions: { collapseSubtasks: false } });
    },
  };
  const whole = new Listr(terminal && left.text() ? [underClock] : list, {
    concurrent,
    renderer: terminal ? "default" : "simple",
  });
  if (!terminal && left.text()) console.log(`${steps.length} to build, ${left.text()}`);
  try {
    await whole.run();
  } catch (error) {
    throw failure ?? error;
  } finally {
    clearInterval(ticker);
  }
}

/** Follows the steps' times; `text` is empty if some step has no name. */
function remaining(steps: Step[], concurrent: number) {
  const known = knownDurations();
  const start = Date.now();
  const begun = new Map<Step, number>();
  const ended = new Set<Step>();
  const sinceBegun = (step: Step) => begun.has(step) && (Date.now() - begun.get(step)!) / 1000;
  return {
    /** Called when all have ended. */
    done: () => {},
    begin: (step: Step) => void begun.set(step, Date.now()),
    end(step: Step) {
      ended.add(step);
      if (ended.size === steps.length) this.done();
      if (step.name) rememberDuration(step.name, Math.round(sinceBegun(step) || 0));
    },
    text() {
      if (!steps.every((step) => step.name)) return "";
      if (ended.size === steps.length) return `all built in ${Math.round((Date.now() - start) / 1000)} s`;
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
  return new Error(parts.filter(Boolean).join("\n"), { cause: error });
}
