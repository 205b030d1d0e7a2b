/** Watching the arguments of every process of this computer: those of the lab's machines are among them. */
import { readdirSync, readFileSync } from "node:fs";

/** How often to look, in milliseconds: the shortest process of interest (sudo, mktemp, dpkg) lives longer than some. */
const INTERVAL = 20;

/** How many times a process is looked at: it begins as a copy of its parent and may become another program a few times. */
const LOOKS = 50;

/** Everything that was seen as a process's arguments while `work` ran, joined by blanks. */
export async function watchArguments(work: () => Promise<void>): Promise<Set<string>> {
  const seen = new Set<string>();
  const looks = new Map<string, number>();
  const look = () => {
    for (const pid of readdirSync("/proc")) {
      const before = looks.get(pid) ?? 0;
      if (!/^\d/.test(pid) || before >= LOOKS) continue;
      looks.set(pid, before + 1);
      try {
        seen.add(readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trimEnd());
      } catch (error) {
        if (!["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
        looks.delete(pid);
      }
    }
  };
  const timer = setInterval(look, INTERVAL);
  try {
    await work();
    // Once more at everything that still runs.
    looks.clear();
    look();
  } finally {
    clearInterval(timer);
  }
  return seen;
}
