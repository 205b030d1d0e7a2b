/** How long steps take: what is known from the last time, and what follows for those that are left. */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder, folder } from "./paths";

/** Seconds on two idle cores, roughly, for the first time on a machine. */
const usual: Record<string, number> = {
  kubernetes: 400,
  "node-root": 90,
  "vm-root": 70,
  "image-base": 45,
  envoy: 5,
  istio: 300,
  images: 5,
  sidecar: 5,
  "pulumi-engine": 400,
  "downloaded-plugins": 5,
  pulumi: 5,
};

const file = join(cacheFolder, "durations.json");

function own(): Record<string, number> {
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Record<string, number>) : {};
}

/** Seconds by the step's name. */
export const knownDurations = () => ({ ...usual, ...own() });

/** Notes how long a step took. Of two processes that do so at once, one may be forgotten, which does no harm. */
export function rememberDuration(name: string, seconds: number): void {
  const unfinished = join(folder(cacheFolder), `durations.json.${process.pid}`);
  writeFileSync(unfinished, JSON.stringify({ ...own(), [name]: seconds }));
  renameSync(unfinished, file);
}

/** A step of a work, as far as its time goes. */
export interface Timed {
  readonly name: string;
  /** Names of steps before it in the list that must have ended. */
  readonly needs?: readonly string[];
  /** How long it has run; nothing if it has not begun. */
  readonly elapsed?: number;
  readonly ended?: boolean;
}

/**
 * How many seconds the rest will take, with the steps begun in their order.
 * @param concurrent how many run at once; one that waits for those it needs counts too
 * @param known seconds by the step's name; a step of which nothing is known counts as none
 */
export function secondsLeft(
  steps: readonly Timed[],
  concurrent: number,
  known: Readonly<Record<string, number>>,
): number {
  const ends = new Map<string, number>();
  const free = new Array<number>(concurrent).fill(0);
  for (const step of steps.filter((each) => !each.ended)) {
    free.sort((a, b) => a - b);
    const slot = free.shift()!;
    const begin = Math.max(slot, ...(step.needs ?? []).map((need) => ends.get(need) ?? 0));
    const end = begin + Math.max(0, (known[step.name] ?? 0) - (step.elapsed ?? 0));
    ends.set(step.name, end);
    free.push(end);
  }
  return Math.max(0, ...ends.values());
}

/** In words; rounded up, since a promise that is kept early hurts nobody. */
export function inWords(seconds: number): string {
  return seconds < 60 ? "less than a minute left" : `about ${Math.ceil(seconds / 60)} min left`;
}
