/** Locks between processes. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { dirname } from "node:path";
import { folder } from "./paths";

/**
 * Runs `work` while a child holds something for it: from when the child has said so on its stdout until it ends, which it
 * must do when its stdin does, hence with this process, however that ends.
 *
 * @throws what `refused` makes of its exit status, if it ends without a word
 */
export async function withHolder<T>(
  [command, ...args]: [string, ...string[]],
  refused: (status: number | null) => Error,
  work: () => Promise<T>,
): Promise<T> {
  const holder = spawn(command, args, {
    stdio: ["pipe", "pipe", "inherit"],
    // Ctrl-C must not take away what it holds while this process still cleans up.
    detached: true,
  });
  const exit = once(holder, "exit") as Promise<[number | null]>;
  const early = exit.then(([status]) => Promise.reject(refused(status)));
  early.catch(() => undefined);
  await Promise.race([once(holder.stdout, "data"), early]);
  try {
    return await work();
  } finally {
    holder.stdin.end();
    await exit;
  }
}

/** Runs `work` while holding a lock on a file, so that two processes of this machine never do the same at once. */
export async function withLock<T>(file: string, what: string, work: () => Promise<T>): Promise<T> {
  folder(dirname(file));
  const waiting = setTimeout(() => console.error(`another process works on ${what}: waiting for it`), 500);
  try {
    return await withHolder(
      ["flock", file, "sh", "-c", "echo held; exec cat >/dev/null"],
      () => new Error(`can't lock ${file}`),
      () => {
        clearTimeout(waiting);
        return work();
      },
    );
  } finally {
    clearTimeout(waiting);
  }
}
