/** Asking again and again whether something works, while something else goes on. */
import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

const INTERVAL_MS = 200;

/** What a series of probes found. */
export interface Probes {
  count: number;
  failures: string[];
  /** Seconds from the first probe that failed to the first that worked after it; 0 if none failed. */
  outage: number;
}

/** Does `work`, and probes every 200 ms meanwhile: first before it begins, last after it has ended. */
export async function probeDuring(probe: () => Promise<unknown>, work: () => Promise<unknown>): Promise<Probes> {
  const result: Probes = { count: 0, failures: [], outage: 0 };
  let begun: number | undefined;
  const once = async () => {
    const at = Date.now();
    result.count++;
    try {
      await probe();
      if (begun !== undefined && result.outage === 0) result.outage = (Date.now() - begun) / 1000;
    } catch (error) {
      begun ??= at;
      result.failures.push(`${new Date(at).toISOString()} ${(error as Error).message}`);
    }
  };
  let over = false;
  await once();
  const probing = (async () => {
    while (!over) {
      await delay(INTERVAL_MS);
      await once();
    }
  })();
  try {
    await work();
  } finally {
    over = true;
    await probing;
  }
  return result;
}

/** Whether a new TCP connection can be opened within a second. */
export function opens(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    const end = (opened: boolean) => {
      socket.destroy();
      resolve(opened);
    };
    socket.setTimeout(1000, () => end(false));
    socket.once("error", () => end(false)).once("connect", () => end(true));
  });
}

/** Opens a new TCP connection to an SSH server and reads its greeting. @throws unless it comes within 3 s */
export function sshGreeting(address: string, port = 22): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port });
    const end = (error?: Error) => {
      socket.destroy();
      if (error) reject(error);
      else resolve();
    };
    socket.setTimeout(3000, () => end(new Error("no greeting within 3 s")));
    socket.once("error", end);
    socket.once("data", (data) => end(/^SSH-2/.test(data.toString()) ? undefined : new Error("not an SSH server")));
    socket.once("close", () => end(new Error("closed without a greeting")));
  });
}
