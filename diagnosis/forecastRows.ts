/** A forecast as text. */
import { duration } from "./checks/duration";
import { type Ending, type Forecast, isRolling } from "./forecast";
import type { Health } from "./status";

const day = (date: Date) => date.toISOString().slice(0, 10);

function endsText({ ends }: Ending, at: Date): string {
  if (ends === undefined) return "within a day";
  const left = (ends.getTime() - at.getTime()) / 1000;
  return `${day(ends)}, ${left > 0 ? `in ${duration(left)}` : `${duration(left)} ago`}`;
}

/** Some names, and how many more there are. */
function namesOf(hosts: string[], most = 5): string {
  const more = hosts.length - most;
  return more > 0 ? `${hosts.slice(0, most).join(", ")} and ${more} more` : hosts.join(", ");
}

function whatText({ kind, of }: Ending, hosts: string[]): string {
  const [it, its] = hosts.length > 1 ? ["they were", "their certificates"] : ["it was", "its certificate"];
  return {
    root: `root "${of}"`,
    intermediate: `intermediate "${of}"`,
    sent: `${namesOf(hosts)}: what ${it} sent`,
    day: `${namesOf(hosts)}: ${its} of a day`,
    token: `${namesOf(hosts)}: ${its} by a token`,
  }[kind];
}

function renewedText({ kind, renewal }: Ending, at: Date): string {
  switch (renewal.by) {
    case "pulumi up":
      return renewal.from > at ? `pulumi up from ${day(renewal.from)} on` : "the next pulumi up";
    case "agent":
      return kind === "token" ? "the agent; after the end the next pulumi up" : "the agent";
    case "successor":
      return `the next one, until ${day(renewal.until)}: pulumi up brings it`;
    case "nobody":
      return `nobody: ${renewal.instead}`;
  }
}

function missedText(missedBy: Ending["missedBy"]): string {
  const reasons = [...new Set(missedBy.map(({ why }) => why))];
  const hosts = (of: string) => missedBy.filter(({ why }) => why === of).map(({ host }) => host);
  return reasons.map((why) => `${namesOf(hosts(why))}: ${why}`).join("; ");
}

const SEVERITY: Health[] = ["ok", "warning", "error"];
const worst = (endings: Ending[]) => SEVERITY[Math.max(...endings.map(({ health }) => SEVERITY.indexOf(health)))]!;

/** Hosts of which the same ends on the same day are one row. */
function grouped(endings: Ending[], at: Date): Ending[][] {
  const keyOf = (ending: Ending) => {
    const { kind, of, ends } = ending;
    const isOfCa = kind === "root" || kind === "intermediate";
    return [kind, isOfCa ? `${of} ${ends!.getTime()}` : ends && day(ends), renewedText(ending, at)].join("\n");
  };
  const keys = [...new Set(endings.map(keyOf))];
  return keys.map((key) => endings.filter((ending) => keyOf(ending) === key));
}

export const FORECAST_HEADINGS = ["ENDS (UTC)", "WHAT", "RENEWED BY", "MISSED BY"];

interface Row {
  health: Health;
  cells: string[];
}

/** A forecast as rows of text, and the sentences below them. */
export function forecastRows({ at, until, endings, next, unread }: Forecast) {
  const shown = endings.filter((ending) => !isRolling(ending));
  const rows = grouped(shown, at).map((group): Row => {
    const [first] = group as [Ending];
    const missedBy = group.flatMap((ending) => ending.missedBy);
    const hosts = group.map(({ of }) => of);
    const cells = [endsText(first, at), whatText(first, hosts), renewedText(first, at), missedText(missedBy)];
    return { health: worst(group), cells };
  });
  const unknown = unread.map(({ what, problem }): Row => ({ health: "warning", cells: ["?", what, problem, ""] }));
  return { rows: [...rows, ...unknown], notes: notesOf({ at, until, endings, next, unread }, shown.length === 0) };
}

function notesOf({ at, until, endings, next, unread }: Forecast, isQuiet: boolean): string[] {
  const nothing = unread.length === 0 ? "nothing" : "nothing that could be read";
  const after =
    next && `; the next is ${whatText(next, [next.of])}: ${endsText(next, at)}, renewed by ${renewedText(next, at)}`;
  const rolling = endings.filter(isRolling);
  const named = (of: Ending[]) => namesOf(of.map((ending) => ending.of));
  const tokens = rolling.filter(({ kind }) => kind === "token");
  const back = tokens.length === 0 ? "" : `; off for longer, only pulumi up brings back ${named(tokens)}`;
  return [
    ...(isQuiet ? [`${nothing} ends before ${day(until)}${after ?? ""}`] : []),
    ...(rolling.length === 0 ? [] : [`certificates of a day, which agents renew: ${named(rolling)}${back}`]),
  ];
}
