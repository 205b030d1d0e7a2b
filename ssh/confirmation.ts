import { setTimeout as delay } from "node:timers/promises";
import type * as pulumi from "@pulumi/pulumi";
import type { types } from "@pulumi/command";
import { ATTEND_COMMAND, confirmCommand, stateDigest } from "../mesh/hostState";
import { run, stay, withSession } from "./session";

type Connection = pulumi.Unwrap<types.input.remote.ConnectionArgs>;

async function confirmOnce(connection: Connection, digest: string): Promise<boolean> {
  const { exitCode } = await withSession(connection, (client) => run(client, confirmCommand(digest, new Date())));
  return exitCode === 0;
}

/** Gives a function that sees to it that one session stays on the host, by which that knows that somebody is there. */
function attendance(connection: Connection, signal: AbortSignal): () => void {
  let attending = false;
  return () => {
    if (attending) return;
    attending = true;
    const session = withSession(connection, (client) => stay(client, ATTEND_COMMAND, signal), { background: true });
    // A host that can't be reached is what the join itself reports.
    void session.catch(() => undefined).finally(() => (attending = false));
  };
}

/**
 * While a join is under way, tries to log in to the host anew, every other second, to say that this still works, and what
 * time it is here: the join waits for it after the sidecar has started and takes its change back if nobody comes, or if
 * the host's clock is another one (host/commit.sh). The
 * join's own session proves nothing, as the kernel lets an established connection go on; and it can't be a resource of
 * its own, as a join that was not confirmed must itself fail, so that the next `pulumi up` repeats it.
 *
 * One more session stays all the while and ends with this program, whatever ends it: the join goes on without us, and
 * would else wait in vain and not know why.
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
  const over = new AbortController();
  const attend = attendance(connection, over.signal);
  try {
    for (;;) {
      await delay(interval, undefined, { ref: false });
      if (joined()) return;
      attend();
      // As above.
      if (await confirmOnce(connection, digest).catch(() => false)) return;
    }
  } finally {
    over.abort();
  }
}
