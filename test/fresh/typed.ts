/** What is typed into a machine, and what must be answered. */

export interface Typed {
  readonly command: string;
  /**
   * What of the command's output goes into the table.
   * @throws if it is not what the README promises
   */
  readonly answer: (output: string) => string;
}

/** The first group of the pattern. @throws if the output has no such line */
function find(output: string, what: string, pattern: RegExp): string {
  const found = pattern.exec(output)?.[1];
  if (found === undefined) throw new Error(`its output does not say ${what}`);
  return found;
}

/** What the demonstration's request found out, and what was changed for it. */
function demo(output: string, changes: RegExp): string {
  return [
    find(output, "that the stack changed as it should", changes),
    find(output, "that the request succeeded", /^ {2}status +(HTTP\/1\.1 200 OK)$/m),
    find(output, "what vm1 answered", /^ {2}answer +(This is vm1\.)$/m),
    find(output, "the VM's identity", /^ {2}mTLS server +(spiffe:\S+)$/m),
    find(output, "the pod's identity", /^ {2}mTLS client +(spiffe:\S+)$/m),
  ].join(", ");
}

export const typed: Typed[] = [
  { command: "make demo", answer: (output) => demo(output, /^ +\+ (\d+ created)$/m) },
  { command: "make demo", answer: (output) => demo(output, /^Resources:\s+(\d+ unchanged)$/m) },
  { command: "make demo-down", answer: (output) => find(output, "that the stack is gone", /^ +- (\d+ deleted)$/m) },
  { command: "make test-unit", answer: (output) => find(output, "that tests passed", /^ *([1-9]\d* passing)/m) },
];
