/** Comparing what something looked like before and after. */
import assert from "node:assert/strict";
import { until } from "../../lab/run";

/** A text for each thing (a file, an object of the cluster, ...), by its name. */
export type Snapshot = Map<string, string>;

/** What differs, a line or two each: `-` is gone, `+` is new, `~` is changed. */
export function differences(before: Snapshot, after: Snapshot): string[] {
  const lines: string[] = [];
  for (const [name, was] of before) {
    const is = after.get(name);
    if (is === undefined) lines.push(`- ${name}: ${short(was)}`);
    else if (is !== was) lines.push(`~ ${name}:\n    was ${around(was, is)}\n    is  ${around(is, was)}`);
  }
  for (const [name, is] of after) if (!before.has(name)) lines.push(`+ ${name}: ${short(is)}`);
  return lines;
}

/** @throws with what differs, unless both snapshots are the same */
export function assertSame(before: Snapshot, after: Snapshot, what: string): void {
  assert.ok(before.size > 0, `the snapshot of ${what} is empty`);
  const found = differences(before, after);
  const shown = found.slice(0, 40).join("\n");
  assert.equal(found.length, 0, `${what} differs in ${found.length} things:\n${shown}`);
}

/**
 * Takes snapshots until one is as before: some things take a moment to end by themselves.
 * @throws after `seconds`, with what still differs
 */
export async function becomesSame(
  before: Snapshot,
  take: () => Promise<Snapshot>,
  what: string,
  seconds = 30,
): Promise<void> {
  let last: Snapshot = new Map();
  try {
    await until(what, seconds, async () => differences(before, (last = await take())).length === 0);
  } catch {
    assertSame(before, last, what);
  }
}

const WIDTH = 160;
const short = (text: string) => (text.length > WIDTH ? `${text.slice(0, WIDTH)}...` : text);

/** The part of `text` where it begins to differ from `other`. */
function around(text: string, other: string): string {
  let at = 0;
  while (at < text.length && text[at] === other[at]) at++;
  const start = Math.max(0, at - 60);
  return `${start > 0 ? "..." : ""}${short(text.slice(start))}`;
}
