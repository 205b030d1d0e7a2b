import { fstatSync } from "node:fs";
import { text } from "node:stream/consumers";
import { explain as explainLogs, type Explanation, type Log } from "../diagnosis/causes";
import { istiodsOf } from "../diagnosis/facts";
import { kubectlFor } from "../tools/kubectl";
import { HostError } from "./hostSession";
import { readHostLogs, readIstiodLogs } from "./logs";
import { colours, exitCode, plural, print } from "./output";
import { startProgress } from "./progress";
import { secondsOf } from "./span";
import { readStack, requireConfig } from "./stack";

export interface ExplainOptions {
  stack?: string;
  output: "text" | "json";
  strict: boolean;
  /** How many lines of each log are read. */
  lines: number;
  /** How far to look back: 90s, 30m, 2h, 7d. Default: as far as the lines go. */
  since?: string;
}

/** What was read, and what could not be. */
export interface Readings {
  logs: Log[];
  unread: { where: string; problem: string }[];
}

const linkTo = (code: string) => `docs/causes.md#${code.toLowerCase()}`;

/** The time that lies so long before `now`: 90s, 30m, 2h, 7d. @throws if it is none of these */
export function before(now: Date, span: string): Date {
  const seconds = secondsOf(span);
  if (seconds === undefined) throw new Error(`--since is "${span}": use a number and s, m, h or d, such as 30m`);
  return new Date(now.getTime() - seconds * 1000);
}

/**
 * Names the known causes of what the logs of istiod and of every host tell of, or a text on stdin.
 *
 * @param args `-` to read stdin; a file as stdin is read without
 * @returns the exit code: 2 too if there is a log that could not be read
 */
export async function explain(options: ExplainOptions, args: string[]): Promise<number> {
  const now = new Date();
  const since = options.since === undefined ? undefined : before(now, options.since);
  const fromStdin = args[0] === "-" || (args.length === 0 && fstatSync(process.stdin.fd).isFile());
  const readings = fromStdin
    ? { logs: [{ where: "stdin", text: await text(process.stdin) }], unread: [] }
    : await readEverywhere(options);
  const found = explainLogs(readings.logs, since);
  print(options.output === "json" ? JSON.stringify(report(found, readings, now), null, 2) : render(found, readings));
  return exitCode([...found, ...readings.unread.map(() => ({ result: "error" }))], options.strict);
}

/** The logs of istiod and of all hosts that are not gone, at the same time. */
async function readEverywhere({ stack: name, lines }: ExplainOptions): Promise<Readings> {
  const progress = startProgress();
  progress.step("the stack");
  const stack = requireConfig(await readStack(name));
  const kubectl = kubectlFor(stack.config.cluster);
  const sources = [
    ...istiodsOf(stack.outputs).map((istiod) => ({
      where: istiod.service,
      read: () => readIstiodLogs(kubectl, istiod, lines),
    })),
    ...stack.config.hosts.map((host) => ({ where: host.name, read: () => readHostLogs(stack, host, lines) })),
  ];
  const done = progress.count("istiod and hosts", sources.length);
  const unread: Readings["unread"] = [];
  const logs = sources.map(async ({ where, read }) => {
    try {
      return await read();
    } catch (error) {
      const { message } = error as Error;
      if (!(error instanceof HostError && error.kind === "gone")) unread.push({ where, problem: message });
      return [];
    } finally {
      done();
    }
  });
  try {
    return { logs: (await Promise.all(logs)).flat(), unread };
  } finally {
    progress.end();
  }
}

/** The places whose logs were read. */
const placesOf = ({ logs }: Readings) => [...new Set(logs.map(({ where }) => where))];

const count = (found: Explanation[], result: Explanation["result"]) =>
  found.filter((explanation) => explanation.result === result).length;

/** What `--output json` prints. */
export function report(found: Explanation[], readings: Readings, at: Date) {
  return {
    version: 1,
    at: at.toISOString(),
    read: placesOf(readings),
    unread: readings.unread,
    summary: { error: count(found, "error"), warning: count(found, "warning"), past: count(found, "past") },
    findings: found.map((explanation) => ({ ...explanation, docs: linkTo(explanation.code) })),
  };
}

/** When it was seen, as a person says it. */
function seen({ first, last, lines }: Explanation): string {
  const times = plural(lines, "line");
  if (first === undefined || last === undefined) return times;
  const [from, to] = [first, last].map((time) => time.replace("T", " ").replace(/\.\d+Z$/, ""));
  const sameDay = from!.slice(0, 10) === to!.slice(0, 10);
  return from === to ? `${times}, ${from} UTC` : `${times}, ${from} to ${sameDay ? to!.slice(11) : to} UTC`;
}

/** What a person reads: each cause once, below it where it was seen, one line that shows it, and the fix. */
export function render(found: Explanation[], readings: Readings, paint = colours()): string {
  const marks = { error: paint.red("✗"), warning: paint.yellow("!"), past: "-" };
  const kinds = [...new Set(found.map(({ code, result }) => `${code} ${result}`))];
  const blocks = kinds.flatMap((kind) => {
    const ofKind = found.filter(({ code, result }) => `${code} ${result}` === kind);
    const { code, title, result, sample } = ofKind[0]!;
    const head = `${marks[result]} ${code} ${title}`;
    const places = ofKind.flatMap((one) => [`  ${one.where}: ${one.message}`, paint.dim(`    ${seen(one)}`)]);
    if (result === "past") return [`${head}: over`, ...places, ""].map((line) => paint.dim(line));
    const fixes = [...new Set(ofKind.map(({ fix }) => paint.dim(`    ${fix}   (${linkTo(code)})`)))];
    return [head, ...places, paint.dim(`    | ${sample.trim().replace(/\s+/g, " ")}`), ...fixes, ""];
  });
  const unread = readings.unread.map(({ where, problem }) => `${marks.error} ${where} could not be asked: ${problem}`);
  return [...blocks, ...unread, ...(unread.length > 0 ? [""] : []), summary(found, readings, paint)].join("\n");
}

function summary(found: Explanation[], readings: Readings, paint: ReturnType<typeof colours>): string {
  const places = placesOf(readings).join(", ") || "nowhere";
  if (found.length === 0) return paint.green(`no known cause of trouble in the logs of ${places}`);
  const [errors, warnings, past] = (["error", "warning", "past"] as const).map((result) => count(found, result));
  const colour = errors! > 0 ? paint.red : warnings! > 0 ? paint.yellow : paint.green;
  return colour(`${plural(errors!, "error")}, ${plural(warnings!, "warning")}, ${past} over; in the logs of ${places}`);
}
