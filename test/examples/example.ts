/** What `make example` and the tests share of an example (examples/): what it is about, and what shows that it works. */
import { join } from "node:path";
import type { Lab } from "../../lab/paths";
import { endEcho } from "../support/echo";
import { type StackConfig, stackFile } from "../support/testStack";

/** What was tried, and what came of it. */
export type Row = [tried: string, answer: string];

export interface Example {
  /** The machines that it is about. They get fresh disks before and after. */
  vms: string[];
  /** What is there before the stack. */
  prepare?(lab: Lab): Promise<void>;
  /** What a person tries once the stack is up. @throws if it does not go as the example says */
  show(lab: Lab): Promise<Row[]>;
  /** Files of programs on the machines, which change by what is tried. */
  data?: string;
  /** What it starts in the namespace `default` to show that, each with a Service and an account. */
  pods?: string[];
  /** Takes away what was there before the stack, but for what is on the machines. */
  end?(lab: Lab): Promise<void>;
}

/** The configuration of an example, as of this lab. */
export const exampleConfig = (name: string): StackConfig => stackFile(join("examples", `${name}.yaml`));

/** Takes away what it started to show that it works. */
export async function removePods({ pods = [] }: Example): Promise<void> {
  if (pods.length > 0) await endEcho(...pods);
}

export function printRows(rows: Row[]): void {
  const width = Math.max(...rows.map(([tried]) => tried.length));
  console.log(`\n${rows.map(([tried, answer]) => `  ${tried.padEnd(width)}   ${answer}`).join("\n")}\n`);
}
