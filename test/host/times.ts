/** Waiting times of the scripts, and shorter ones for tests. */
import assert from "node:assert/strict";

/** ISTIO_VM_MATRIX=full: all cases, and the scripts' own waiting times. */
export const FULL = process.env.ISTIO_VM_MATRIX === "full";

/** ISTIO_VM_FAULTS: what takes minutes of waiting, and every variant of what is one rule (make test-faults). */
export const THOROUGH = FULL || Boolean(process.env.ISTIO_VM_FAULTS);

/**
 * The bundle with shorter times than its own: seconds until an unconfirmed change is undone by the timer, until a sidecar
 * is given up that does not become ready, the package manager that somebody else uses, or a confirmation.
 */
export function withTimes(
  bundle: string,
  { undo, ready, lock, confirm }: Partial<Record<"undo" | "ready" | "lock" | "confirm", number>>,
): string {
  let text = bundle;
  const set = (name: string, seconds: number | undefined) => {
    if (seconds === undefined || FULL) return;
    const line = new RegExp(`^${name}=.*$`, "gm");
    assert.equal(text.match(line)?.length, 1, `${name} is not set once in the scripts`);
    text = text.replace(line, `${name}=${seconds}`);
  };
  set("UNDO_SECONDS", undo);
  set("READY_SECONDS", ready);
  set("PACKAGE_SECONDS", lock);
  set("CONFIRM_SECONDS", confirm);
  return text;
}
