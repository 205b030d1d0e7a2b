const SECONDS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86400 };

/** A span of time in seconds: 90s, 30m, 2h, 7d. Undefined if it is none, or longer than dates go. */
export function secondsOf(span: string): number | undefined {
  const [, amount, unit = ""] = /^(\d{1,7})([smhd])$/.exec(span) ?? [];
  return amount === undefined ? undefined : Number(amount) * SECONDS[unit]!;
}
