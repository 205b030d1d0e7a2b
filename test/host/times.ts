/** Waiting times of the scripts, and shorter ones for tests. */
import assert from "node:assert/strict";

/** ISTIO_VM_MATRIX=full: all cases, and the scripts' own waiting times. */
export const FULL = process.env.ISTIO_VM_MATRIX === "full";

/**
 * The bundle with shorter times than its own: seconds until an unconfirmed change is undone by the timer, and until a
 * sidecar is given up that does not become ready.
 */
export function withTimes(bundle: string, { undo, ready }: { undo?: number; ready?: number }): string {
  let text = bundle;
  const set = (name: string, seconds: number | undefined) => {
    if (seconds === undefined || FULL) return;
    const line = new RegExp(`^${name}=.*$`, "gm");
    assert.equal(text.match(line)?.length, 1, `${name} is not set once in the scripts`);
    text = text.replace(line, `${name}=${seconds}`);
  };
  set("UNDO_SECONDS", undo);
  set("READY_SECONDS", ready);
  return text;
}
