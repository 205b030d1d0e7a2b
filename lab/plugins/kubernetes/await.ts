/** Waiting for objects to become ready or to be gone. What counts as ready is in readiness.ts. */
import { setTimeout as delay } from "node:timers/promises";
import { Api, isNotFound, NoMatch, Reference } from "./api";
import { annotationOf, idOf, KubeObject } from "./objects";
import { Readiness, readinessOf } from "./readiness";

/** Pauses, in milliseconds. Tests shorten them. */
export interface Timing {
  /** Between two looks at an object: its state depends on other objects, so watching it alone would not do. */
  poll: number;
  /** How long a Service's endpoints must stay unchanged. */
  settle: number;
  /** Before each new attempt at a create whose kind or namespace is missing. */
  retries: number[];
}

/** Those of the real provider. */
export const REAL_TIMING: Timing = { poll: 500, settle: 10_000, retries: [1000, 2000, 4000, 8000, 16_000, 32_000] };

/** Seconds that an operation may take: the resource option's, the annotation's, or ten minutes. */
export const timeoutOf = (inputs: KubeObject, timeout: number): number =>
  timeout || Number(annotationOf(inputs, "pulumi.com/timeoutSeconds")) || 600;

export interface WaitOptions {
  timing: Timing;
  /** Seconds. */
  timeout: number;
  /** Aborted when the user cancels. */
  signal: AbortSignal;
  /** Shows what is waited for. */
  status(message: string): void;
}

/** The object was written but did not become ready. */
export class NotReady extends Error {
  constructor(
    message: string,
    /** Its last known form. */
    readonly object: KubeObject,
    readonly reasons: string[],
  ) {
    super(message);
  }
}

/** Resolves with the object once it is ready. Throws NotReady after the timeout or on cancellation. */
export async function untilReady(api: Api, written: KubeObject, options: WaitOptions): Promise<KubeObject> {
  const look = readinessOf(api, written, options.timing.settle);
  if (!look) return written;
  const { name } = written.metadata;
  const deadline = Date.now() + options.timeout * 1000;
  let live = written;
  let shown = "";
  for (;;) {
    let now: Readiness;
    try {
      live = await api.get(written);
      now = await look(live);
    } catch (error) {
      // The object exists, so it must get into the state: an API server that is away for a moment is waited for, too.
      const message = error instanceof Error ? error.message : String(error);
      now = { ready: false, status: message, reasons: [message] };
    }
    if (now.ready) {
      if (shown) options.status(""); // Clears the status line.
      return live;
    }
    if (now.status !== shown) options.status((shown = now.status));
    if (options.signal.aborted) {
      throw new NotReady(`Resource operation was cancelled for "${name}"`, live, now.reasons);
    }
    if (Date.now() >= deadline) {
      throw new NotReady(`'${name}' timed out after ${options.timeout} s waiting to be Ready`, live, now.reasons);
    }
    await pause(options.timing.poll, options.signal);
  }
}

/** Resolves when the object is gone. Throws after the timeout or on cancellation, with what holds it. */
export async function untilGone(api: Api, object: Reference, uid: string | undefined, options: WaitOptions) {
  const deadline = Date.now() + options.timeout * 1000;
  for (;;) {
    let live: KubeObject;
    try {
      live = await api.get(object);
    } catch (error) {
      if (isNotFound(error) || error instanceof NoMatch) return;
      throw error;
    }
    if (uid && live.metadata.uid !== uid) return; // Another object of the same name.
    const finalizers = live.metadata.finalizers ?? [];
    const held = finalizers.length > 0 ? `; finalizers might be preventing deletion (${finalizers.join(", ")})` : "";
    options.status(`waiting for ${idOf(live)} to be deleted${held}`);
    if (options.signal.aborted) throw new Error(`cancelled while waiting for ${idOf(live)} to be deleted${held}`);
    if (Date.now() >= deadline) {
      throw new Error(`timed out after ${options.timeout} s waiting for ${idOf(live)} to be deleted${held}`);
    }
    await pause(options.timing.poll, options.signal);
  }
}

/** Waits for some milliseconds, less if the user cancels: the caller asks the signal which it was. */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await delay(milliseconds, undefined, { signal }).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
}
