import type { Facts, HostFacts } from "./facts";

/** The groups in which findings are shown, in this order. */
export const GROUPS = ["tools", "configuration", "cluster", "certificates", "clock", "network", "hosts"] as const;
export type Group = (typeof GROUPS)[number];

export type Result = "ok" | "warning" | "error" | "skipped";

/** What a check says of one subject: a host, a service, or the stack as a whole. */
export interface Verdict {
  result: Result;
  /** The host, service or namespace that it is about. */
  subject?: string;
  /** One sentence. */
  message: string;
  /** A command or what to do, if more is known than the check's own `fix`. */
  fix?: string;
}

/** One rule: what would break an update or the mesh, and how to tell. */
export interface Check {
  /** Stable: IVM101. */
  code: string;
  /** What is looked at, as it is said when all is well. */
  title: string;
  /** What happens if it is not so. For docs/checks.md. */
  why: string;
  /** A command, or what to do. */
  fix: string;
  /** @returns at least one verdict */
  evaluate: (facts: Facts) => Verdict[];
}

/** A verdict with the check that it comes from. */
export interface Finding extends Verdict {
  code: string;
  group: Group;
  title: string;
}

export const ok = (message = ""): Verdict[] => [{ result: "ok", message }];
export const skipped = (message: string): Verdict[] => [{ result: "skipped", message }];
export const warning = (message: string, fix?: string): Verdict[] => [{ result: "warning", message, fix }];
export const error = (message: string, fix?: string): Verdict[] => [{ result: "error", message, fix }];

/** The verdicts about one subject. */
export const about = (subject: string, verdicts: Verdict[]): Verdict[] =>
  verdicts.map((verdict) => ({ ...verdict, subject }));

/** A verdict for each, or one `ok` if there is nothing wrong. */
export function each<T>(items: T[], verdicts: (item: T) => Verdict[]): Verdict[] {
  return items.length === 0 ? ok() : items.flatMap(verdicts);
}

/** A host that answered. */
export type Inspected = Extract<HostFacts, { inspection: unknown }>;
export const wasInspected = (host: HostFacts): host is Inspected => "inspection" in host;

/** Judges each host that answered; the others are skipped, for they have a finding of their own (IVM601, 602, 608). */
export function eachHost({ hosts }: Facts, judge: (host: Inspected) => Verdict[]): Verdict[] {
  if (hosts.length === 0) return skipped("there are no hosts");
  return hosts.flatMap((host) =>
    about(host.name, wasInspected(host) ? judge(host) : skipped(`${host.name} could not be asked`)),
  );
}
