import { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import type { Client } from "ssh2";
import { createReadStream } from "node:fs";
import type { HostPackage } from "../mesh/hostState";
import { attendScript, REJOIN_SCRIPT } from "./bundle";
import { attendCommand, CONFIRM_SCRIPT, confirmCommand, receiveCommand, stateDigest } from "./commands";
import { type Login, loginProblem, run, withSession } from "./session";

/**
 * Milliseconds: how long a join is accompanied at most; without any progress, until it has what it needs; for a fresh
 * session to connect, and to confirm; before a session that was lost is taken up again; between two more tries of either;
 * after which silence a session is lost: the host says something every five seconds.
 *
 * Many hosts limit new connections (`ufw limit`: six in 30 s, and each that is refused counts again). A client's kernel
 * tries to connect after 0, 1 and 3 s, later ones each second: within `dial` that is twice, and with so long a pause even
 * a host that has closed itself to us opens again.
 */
const LIMITS = {
  join: 20 * 60_000,
  bring: 60_000,
  dial: 1900,
  confirmation: 15_000,
  back: 2000,
  pause: 20_000,
  silence: 15_000,
};

/** What is brought to a join. */
export interface Baggage {
  /** The state that the host shall have (mesh/hostState.ts). */
  state: string;
  /** Scripts, certificates and key, as renderFiles made them. They are in no state of Pulumi's and no command line. */
  files: string;
  /** Sidecar packages that a host does not fetch itself: the one that fits is sent, if it is not there. */
  packages?: (Omit<HostPackage, "source"> & { file: string })[];
}

export interface AccompanyOptions {
  limits?: typeof LIMITS;
  /** What ends it earlier. */
  stop?: AbortSignal[];
}

/** Sends a file to the folder of what was brought, and tells of its progress. @throws if the host does not take it */
async function send(client: Client, file: string, folder: string, progress: () => void): Promise<void> {
  async function* content() {
    for await (const chunk of createReadStream(file)) {
      progress();
      yield chunk as Buffer;
    }
  }
  const input = Readable.from(content());
  const { exitCode, stderr } = await run(client, receiveCommand(folder), input, { limit: Infinity });
  if (exitCode !== 0) throw new Error(`${file} could not be sent: ${stderr.trim() || `status ${exitCode}`}`);
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
export function accompany(login: Login, baggage: Baggage, options: AccompanyOptions = {}): Promise<void> {
  const { limits = LIMITS, stop = [] } = options;
  const digest = stateDigest(baggage.state);
  const command = attendCommand(digest, baggage.packages);
  const over = new AbortController();
  const end = AbortSignal.any([over.signal, AbortSignal.timeout(limits.join), ...stop]);
  const pause = (milliseconds: number) => delay(milliseconds, undefined, { ref: false });

  const confirm = async () => {
    const once = (client: Client) =>
      run(client, confirmCommand(digest, new Date()), CONFIRM_SCRIPT, { limit: limits.confirmation });
    while (!end.aborted) {
      const outcome = await withSession(login, once, { background: true, dial: limits.dial }).catch(() => undefined);
      // Not by the exit status, which may be that of something else than our script.
      if (outcome?.stdout.split("\n").includes(`confirmed ${digest}`)) return;
      await pause(limits.pause);
    }
  };

  const attending = (script: string, hear: (line: string, client: Client) => void) =>
    withSession(login, (client) => attend(client, command, script, limits, (line) => hear(line, client), end), {
      background: true,
    });

  return new Promise((resolve, reject) => {
    // Unlike all that follows, this keeps the program: it waits for what is brought.
    const late = setTimeout(
      () => fail(new Error(`nothing could be brought within ${limits.bring / 1000} s`)),
      limits.bring,
    );
    let ready = false;
    let said = "";
    const fail = (error: Error) => {
      clearTimeout(late);
      if (ready) return; // it is a session that was lost
      over.abort();
      reject(loginProblem(error, login));
    };
    let confirming: Promise<void> | undefined;
    const hear = (line: string, client: Client) => {
      const [word, folder, wanted] = line.split(" ");
      const asked = word === "package" && baggage.packages?.find(({ sha256 }) => sha256 === wanted);
      if (line === "ready") {
        ready = true;
        clearTimeout(late);
        resolve();
      } else if (asked && folder && !ready) {
        send(client, asked.file, folder, () => late.refresh()).catch(fail);
      } else if (line === "awaiting") confirming ??= confirm();
      else if (line === "over") over.abort();
      else if (line !== "here") said ||= line.trim();
    };
    // What there is to hear is not from our scripts, as where the account runs another command whatever it is told.
    const ended = () =>
      fail(new Error(`our scripts did not run there: ${said ? `it says "${said}"` : "the session ended at once"}`));
    void (async () => {
      await attending(attendScript(baggage.files), hear).then(ended, fail);
      for (let wait = limits.back; !end.aborted; wait = limits.pause) {
        await pause(wait);
        await attending(REJOIN_SCRIPT, hear).catch(() => undefined);
      }
    })();
  });
}
