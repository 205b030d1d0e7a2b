import { createSpinner } from "nanospinner";

/** A line that says what is being waited for. It is shown on stderr, and only to a person. */
export interface Progress {
  step: (what: string) => void;
  /** Tells how many of them are done; the result is to be called for each. */
  count: (what: string, total: number) => () => void;
  end: () => void;
}

/** @param shown default: whether stderr is a terminal */
export function startProgress(shown = process.stderr.isTTY): Progress {
  if (!shown) return { step: () => undefined, count: () => () => undefined, end: () => undefined };
  const spinner = createSpinner("", { stream: process.stderr }).start();
  return {
    step: (what) => void spinner.update({ text: `asking ${what}` }),
    count: (what, total) => {
      let done = 0;
      return () => void spinner.update({ text: `asking ${what}: ${++done} of ${total} answered` });
    },
    end: () => void spinner.reset().clear(),
  };
}
