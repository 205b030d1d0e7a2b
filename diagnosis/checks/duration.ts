const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A span of time, in seconds of either sign, as a person says it: `3.2 s`, `5 minutes`, `7 hours`, `12 days`. */
export function duration(seconds: number): string {
  const span = Math.abs(seconds);
  if (span < 2 * MINUTE) return `${span.toFixed(1)} s`;
  if (span < 2 * HOUR) return `${Math.round(span / MINUTE)} minutes`;
  return span < 2 * DAY ? `${Math.round(span / HOUR)} hours` : `${Math.round(span / DAY)} days`;
}

/** Time left, as a person says it. */
export function timeLeft(until: Date, now: Date): string {
  const left = (until.getTime() - now.getTime()) / 1000;
  return left < 0 ? `ended ${duration(left)} ago` : `${duration(left)} left`;
}
