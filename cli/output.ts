import pc from "picocolors";

/** Colours for a terminal, none for anything else (picocolors: NO_COLOR and FORCE_COLOR are respected). */
export const colours = (enabled = pc.isColorSupported && (process.stdout.isTTY || "FORCE_COLOR" in process.env)) =>
  pc.createColors(enabled);

/** The result of a command, on stdout. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** `1 error`, `2 errors`. */
export const plural = (amount: number, what: string) => `${amount} ${what}${amount === 1 ? "" : "s"}`;

/** 0: all is well; 1: there are warnings, and they count; 2: there are errors. */
export function exitCode(findings: { result: string }[], strict: boolean): number {
  if (findings.some(({ result }) => result === "error")) return 2;
  return strict && findings.some(({ result }) => result === "warning") ? 1 : 0;
}
