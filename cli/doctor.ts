import { evaluate } from "../diagnosis/checks";
import { GROUPS, type Finding, type Result } from "../diagnosis/checks/check";
import { gather } from "./facts";
import { startProgress } from "./progress";
import { colours, exitCode, plural, print } from "./output";
import { readStack } from "./stack";

export interface DoctorOptions {
  stack?: string;
  output: "text" | "json";
  strict: boolean;
}

const DOCS = "docs/checks.md";
const linkTo = (code: string) => `${DOCS}#${code.toLowerCase()}`;

/** Everything that would make `pulumi up` fail or the mesh misbehave. @returns the exit code */
export async function doctor({ stack: name, output, strict }: DoctorOptions): Promise<number> {
  const begun = Date.now();
  const progress = startProgress();
  progress.step("the stack");
  const facts = await gather(await readStack(name), progress);
  const findings = evaluate(facts);
  const seconds = Math.round((Date.now() - begun) / 100) / 10;
  print(output === "json" ? JSON.stringify(report(findings, facts.now, seconds), null, 2) : render(findings, seconds));
  return exitCode(findings, strict);
}

/** The findings of each check, in the order of the table. */
function byCheck(findings: Finding[]): Finding[][] {
  const codes = [...new Set(findings.map(({ code }) => code))];
  return codes.map((code) => findings.filter((finding) => finding.code === code));
}

/** How many checks ended how. One that found several things counts once, as the worst of them. */
function count(findings: Finding[]): Record<Result, number> {
  const counts = { ok: 0, warning: 0, error: 0, skipped: 0 };
  for (const ofOne of byCheck(findings)) {
    const results = ofOne.map(({ result }) => result);
    counts[(["error", "warning", "ok"] as const).find((result) => results.includes(result)) ?? "skipped"]++;
  }
  return counts;
}

export type Report = ReturnType<typeof report>;

/** What `--output json` prints; docs/checks.md describes it. */
export function report(findings: Finding[], at: Date, seconds: number) {
  return {
    version: 1,
    at: at.toISOString(),
    seconds,
    summary: count(findings),
    findings: findings.map((finding) => ({ ...finding, docs: linkTo(finding.code) })),
  };
}

/** What a person reads: a line a check, and below it what is wrong with whom. */
export function render(findings: Finding[], seconds: number, paint = colours()): string {
  const lines = GROUPS.flatMap((group) => {
    const ofGroup = findings.filter((finding) => finding.group === group);
    return [paint.bold(group), ...byCheck(ofGroup).flatMap((ofOne) => renderCheck(ofOne, paint)), ""];
  });
  const { ok, warning, error, skipped } = count(findings);
  const parts = [`${ok} ok`, plural(warning, "warning"), plural(error, "error"), `${skipped} skipped`];
  const verdict = error > 0 ? paint.red : warning > 0 ? paint.yellow : paint.green;
  return [...lines, verdict(`${parts.join(", ")}, in ${seconds} s`)].join("\n");
}

function renderCheck(findings: Finding[], paint: ReturnType<typeof colours>): string[] {
  const { code, title } = findings[0]!;
  const bad = findings.filter(({ result }) => result === "error" || result === "warning");
  if (bad.length > 0) {
    return bad.flatMap(({ result, message, fix }) => {
      const mark = result === "error" ? paint.red("✗") : paint.yellow("!");
      return [`  ${mark} ${code} ${message}`, paint.dim(`           ${fix}   (${linkTo(code)})`)];
    });
  }
  const passed = findings.filter(({ result }) => result === "ok");
  if (passed.length === 0) {
    const more = findings.length > 1 ? ` (and ${findings.length - 1} more)` : "";
    return [paint.dim(`  - ${code} ${title}: skipped, ${findings[0]!.message}${more}`)];
  }
  const details = passed.length === 1 ? passed[0]!.message : `${passed.length} of ${findings.length}`;
  return [`  ${paint.green("✓")} ${paint.dim(code)} ${title}${details === "" ? "" : paint.dim(`: ${details}`)}`];
}
