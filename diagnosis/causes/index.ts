import { type Cause, ON_HOST, type Sign } from "./cause";
import { certificates } from "./certificates";
import { connection } from "./connection";
import { host } from "./host";
import { identity } from "./identity";
import { type LogLine, linesOf } from "./logLine";
import { combine, type Recovery, recoveryOf } from "./recovery";
import { traffic } from "./traffic";
import { update } from "./update";

/** Every known cause, by group. docs/causes.md is made of this table; a line belongs to the first that it matches. */
export const CAUSES = { certificates, identity, connection, host, traffic, update } satisfies Record<string, Cause[]>;

const ALL: Cause[] = Object.values(CAUSES).flat();

/** A log and where it comes from. One place may have several. */
export interface Log {
  /** The host's name, istiod's pod, or what else a person calls it. */
  where: string;
  /** Undefined if nobody knows; then every sign is looked for. */
  writer?: "istiod" | "host";
  text: string;
}

/** A cause that was found at one place. */
export interface Explanation {
  code: string;
  title: string;
  /** `past` if the place, or for what istiod says every host, has recovered since it was last seen. */
  result: "error" | "warning" | "past";
  where: string;
  /** How many lines show it; one attempt often writes several. */
  lines: number;
  /** When the first and the last of them were written (ISO 8601), if they say so. */
  first?: string;
  last?: string;
  /** What happened, by the last of these lines. */
  message: string;
  fix: string;
  /** The last of these lines, without anything secret. */
  sample: string;
}

/** What is found while reading: a cause at a place. */
interface Match {
  cause: Cause;
  sign: Sign;
  where: string;
  writer: Log["writer"];
  count: number;
  first?: Date;
  last?: Date;
  groups: Record<string, string | undefined>;
  sample: string;
}

function heardFrom({ from }: Sign, writer: Log["writer"]): boolean {
  if (writer === undefined) return true;
  return from.some((speaker) => (writer === "istiod" ? speaker === "istiod" : ON_HOST.includes(speaker)));
}

/** The first sign of the table that a line has. */
function recognize(line: string, writer: Log["writer"]) {
  for (const cause of ALL) {
    for (const sign of cause.signs) {
      const match = heardFrom(sign, writer) && sign.pattern.exec(line);
      if (match) return { cause, sign, groups: match.groups ?? {} };
    }
  }
  return undefined;
}

const earlier = (a: Date | undefined, b: Date | undefined) => (a === undefined || (b !== undefined && b < a) ? b : a);

type ReadLog = Omit<Log, "text"> & { lines: LogLine[] };

const keyOf = ({ code }: Cause, where: string) => `${code} ${where}`;

/** Each cause at each place, by `keyOf`. */
function findMatches(logs: ReadLog[]): Map<string, Match> {
  const matches = new Map<string, Match>();
  for (const { where, writer, lines } of logs) {
    for (const { text, at } of lines) {
      const found = recognize(text, writer);
      if (found === undefined) continue;
      const key = keyOf(found.cause, where);
      const match = matches.get(key) ?? { ...found, where, writer, count: 0, first: at, sample: text };
      const isLast = match.last === undefined || (at !== undefined && at >= match.last);
      matches.set(key, {
        ...match,
        ...(isLast && { ...found, sample: text, last: at }),
        count: match.count + 1,
        first: earlier(match.first, at),
      });
    }
  }
  return matches;
}

/** Tells of a match whether it is over. */
function judgeOf(logs: ReadLog[], matches: Map<string, Match>): (match: Match) => boolean {
  const recoveries = new Map<string, Recovery>();
  for (const { where, lines } of logs) {
    recoveries.set(where, combine(recoveries.get(where) ?? {}, recoveryOf(lines)));
  }
  const hosts = [...new Set(logs.flatMap(({ where, writer }) => (writer === "host" ? [where] : [])))];
  return ({ cause, sign, where, writer, last }) => {
    const overAt = (place: string) => {
      const { ready, started, launched } = recoveries.get(place)!;
      const starting = sign.from.every((speaker) => speaker === "start");
      const over = starting ? launched : cause.untilRestart && writer !== "istiod" ? started : ready;
      return over !== undefined && last !== undefined && last < over;
    };
    if (overAt(where)) return true;
    // What istiod says of hosts is over when these have recovered: those that say the same, or if none does, all.
    const same = hosts.filter((host) => matches.has(keyOf(cause, host)));
    return writer === "istiod" && hosts.length > 0 && (same.length > 0 ? same : hosts).every(overAt);
  };
}

/**
 * Names the known causes of what logs tell of: what is still so first, errors before warnings.
 *
 * @param since lines that are older are left out
 */
export function explain(logs: Log[], since?: Date): Explanation[] {
  const read = logs.map(({ text, ...log }) => ({
    ...log,
    lines: linesOf(text).filter(({ at }) => since === undefined || at === undefined || at >= since),
  }));
  const matches = findMatches(read);
  const isPast = judgeOf(read, matches);
  const all = [...matches.values()].map((match) => ({ ...match, past: isPast(match) }));
  const isConsequence = ({ cause, where, writer, past }: (typeof all)[number]) =>
    all.some(
      (other) =>
        cause.follows?.includes(other.cause.code) &&
        (other.where === where || writer === "istiod" || other.writer === "istiod") &&
        (past || !other.past),
    );
  const rank = { error: 0, warning: 1, past: 2 };
  return all
    .filter((match) => !isConsequence(match))
    .map(({ past, ...match }) => describe(match, past))
    .sort((a, b) => rank[a.result] - rank[b.result] || a.code.localeCompare(b.code) || a.where.localeCompare(b.where));
}

function describe(
  { cause, sign, where, writer, count, first, last, groups, sample }: Match,
  past: boolean,
): Explanation {
  const known: typeof groups = { ...groups, where: writer === undefined ? "the host" : where };
  const fill = (text: string) => text.replace(/\{(\w+)\}/g, (_, name: string) => known[name] ?? "?");
  return {
    code: cause.code,
    title: cause.title,
    result: past ? "past" : cause.severity,
    where,
    lines: count,
    first: first?.toISOString(),
    last: last?.toISOString(),
    message: fill(sign.sentence),
    fix: fill(sign.fix ?? cause.fix),
    sample,
  };
}
