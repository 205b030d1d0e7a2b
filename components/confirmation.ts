import { setTimeout as delay } from "node:timers/promises";
import type * as pulumi from "@pulumi/pulumi";
import type { types } from "@pulumi/command";
import { confirmCommand, stateDigest } from "../mesh/hostState";
import { run, withSession } from "../ssh/session";

type Connection = pulumi.Unwrap<types.input.remote.ConnectionArgs>;

async function confirmOnce(connection: Connection, digest: string): Promise<boolean> {
  const { exitCode } = await withSession(connection, (client) => run(client, confirmCommand(digest, new Date())));
  return exitCode === 0;
}

/**
 * While a join is under way, tries to log in to the host anew, every other second, to say that this still works, and what
 * time it is here: the join waits for it after the sidecar has started and takes its change back if nobody comes, or if
 * the host's clock is another one (host/commit.sh). The
 * join's own session proves nothing, as the kernel lets an established connection go on; and it can't be a resource of
 * its own, as a join that was not confirmed must itself fail, so that the next `pulumi up` repeats it.
 *
 * @param joined tells whether the join has ended; nothing is dialled when it does so at once, having nothing to do
 * @param interval milliseconds between two tries
 */
export async function confirmWhileJoining(
  connection: Connection,
  state: string,
  joined: () => boolean,
  interval = 2000,
): Promise<void> {
  const digest = stateDigest(state);
  for (;;) {
    await delay(interval, undefined, { ref: false });
    if (joined()) return;
    // A host that can't be reached is what the join itself reports.
    if (await confirmOnce(connection, digest).catch(() => false)) return;
  }
}
