/** Locks between processes. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { dirname } from "node:path";
import { folder } from "./paths";

/**
 * Runs `work` while holding a lock on a file, so that two processes of this machine never do the same at once.
 * The lock belongs to a child that ends when its stdin does, hence with this process, however that ends.
 */
export async function withLock<T>(file: string, what: string, work: () => Promise<T>): Promise<T> {
  folder(dirname(file));
  const holder = spawn("flock", [file, "sh", "-c", "echo held; exec cat >/dev/null"], {
    stdio: ["pipe", "pipe", "inherit"],
    // Ctrl-C must not take the lock away while this process still cleans up.
    detached: true,
  });
  const waiting = setTimeout(() => console.error(`another process works on ${what}: waiting for it`), 500);
  try {
    await Promise.race([
      once(holder.stdout, "data"),
      once(holder, "exit").then(() => Promise.reject(new Error(`can't lock ${file}`))),
    ]);
    clearTimeout(waiting);
    return await work();
  } finally {
    clearTimeout(waiting);
    if (holder.exitCode === null) {
      holder.stdin.end();
      await once(holder, "exit");
    }
  }
}
