import { setTimeout as delay } from "node:timers/promises";
import type { Client } from "ssh2";
import { REJOIN_SCRIPT, renderBundle } from "./bundle";
import { attendCommand, confirmCommand, stateDigest } from "./commands";
import { type Login, loginProblem, run, withSession } from "./session";

/**
 * Milliseconds: how long a join is accompanied at most; how long it may take to bring it what it needs, and to confirm it;
 * between two tries; after which silence a session is lost: the host says something every five seconds.
 */
const LIMITS = { join: 20 * 60_000, bring: 60_000, confirmation: 15_000, pause: 2000, silence: 15_000 };

/** What is brought to a join. */
export interface Baggage {
  /** The state that the host shall have (mesh/hostState.ts). */
  state: string;
  /** Scripts, certificates and key, as renderFiles made them. They are in no state of Pulumi's and no command line. */
  files: string;
}

export interface AccompanyOptions {
  limits?: typeof LIMITS;
  /** What ends it earlier. */
  stop?: AbortSignal[];
}

/** Runs `script` as root, tells of each line that it prints, and ends with it, or with the signal. */
function attend(
  client: Client,
  command: string,
  script: string,
  { silence }: typeof LIMITS,
  hear: (line: string) => void,
  stays: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const late = () => reject(new Error(`nothing was heard for ${silence / 1000} s`));
    const timer = setTimeout(late, silence).unref();
    let rest = "";
    const stdout = (chunk: Buffer) => {
      timer.refresh();
      const lines = (rest + chunk.toString()).split("\n");
      rest = lines.pop()!;
      lines.forEach(hear);
    };
    run(client, command, script, { stays, stdout })
      .then(({ exitCode, stderr }) => {
        if (exitCode === 0) resolve();
        else reject(new Error(stderr.trim() || "the session was lost"));
      }, reject)
      .finally(() => clearTimeout(timer));
  });
}

/**
 * Brings a join what it needs, and is there for it until it has ended: a join of its own session alone could not tell
 * whether the host can still be reached after the change, for the kernel lets an established connection go on.
 *
 * One session brings scripts, certificates and key, in memory that only root can read, and stays: by it the host knows
 * that somebody is there who will confirm the change, and tells when it waits for that (host/attend.sh). Then fresh
 * sessions try to say that they could be had, and what time it is here, until one is heard. A session that was lost is
 * taken up again. It all ends with the join, with the program, which does not wait for it, or after 20 minutes.
 *
 * It is to be called just before the join begins.
 *
 * @returns as soon as the host has what the join needs
 * @throws why it could not be brought there, in a person's words
 */
export function accompany(login: Login, { state, files }: Baggage, options: AccompanyOptions = {}): Promise<void> {
  const { limits = LIMITS, stop = [] } = options;
  const digest = stateDigest(state);
  const over = new AbortController();
  const end = AbortSignal.any([over.signal, AbortSignal.timeout(limits.join), ...stop]);
  const pause = () => delay(limits.pause, undefined, { ref: false });

  const confirm = async () => {
    const once = (client: Client) =>
      run(client, confirmCommand(digest, new Date()), "", { limit: limits.confirmation });
    while (!end.aborted) {
      const outcome = await withSession(login, once, { background: true }).catch(() => undefined);
      if (outcome?.exitCode === 0) return;
      await pause();
    }
  };

  const attending = (script: string, hear: (line: string) => void) =>
    withSession(login, (client) => attend(client, attendCommand(digest), script, limits, hear, end), {
      background: true,
    });

  return new Promise((resolve, reject) => {
    // Unlike all that follows, this keeps the program: it waits for what is brought.
    const late = setTimeout(
      () => fail(new Error(`nothing could be brought within ${limits.bring / 1000} s`)),
      limits.bring,
    );
    let ready = false;
    const fail = (error: Error) => {
      clearTimeout(late);
      if (ready) return; // it is a session that was lost
      over.abort();
      reject(loginProblem(error, login));
    };
    let confirming: Promise<void> | undefined;
    const hear = (line: string) => {
      if (line === "ready") {
        ready = true;
        clearTimeout(late);
        resolve();
      } else if (line === "awaiting") confirming ??= confirm();
      else if (line === "over") over.abort();
    };
    void (async () => {
      const ended = () => fail(new Error("the session ended before anything was brought"));
      await attending(renderBundle(files), hear).then(ended, fail);
      while (!end.aborted) {
        await pause();
        await attending(REJOIN_SCRIPT, hear).catch(() => undefined);
      }
    })();
  });
}
