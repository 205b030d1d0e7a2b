/**
 * `make example NAME=...`: an example on the lab, as a person would have it: the stack comes up, is tried, stays for a look
 * around, and is taken back.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline/promises";
import { execa } from "execa";
import { assertInsideLab } from "../../lab/exec";
import { checkout, labByName } from "../../lab/paths";
import { resetVm } from "../../lab/vm";
import { EXAMPLES } from ".";
import { type Example, printRows, removePods } from "./example";

const pulumi = (...args: string[]) =>
  execa("pulumi", [...args, "--non-interactive"], { cwd: checkout, stdio: "inherit" });

/** @throws if something is up, here or of another example: they would be in each other's way */
async function makeStack(name: string): Promise<void> {
  const { stdout } = await execa("pulumi", ["stack", "ls", "--json"], { cwd: checkout });
  const stacks = JSON.parse(stdout) as { name: string; resourceCount?: number }[];
  const inTheWay = stacks.find((stack) => stack.name !== name && (stack.resourceCount ?? 0) > 0);
  if (inTheWay)
    throw new Error(`the stack ${inTheWay.name} is up on this lab: pulumi destroy --stack ${inTheWay.name}`);
  if (!stacks.some((stack) => stack.name === name)) await pulumi("stack", "init", name);
  const file = join(checkout, `Pulumi.${name}.yaml`);
  const salt = /^encryptionsalt: .*$/m.exec(readFileSync(file, "utf8"))?.[0] ?? "";
  writeFileSync(file, `${salt}\n${readFileSync(join(checkout, "examples", `${name}.yaml`), "utf8")}`);
}

async function lookAround(name: string): Promise<void> {
  if (!process.stdin.isTTY) return;
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  await terminal.question(
    `It is up, as the stack ${name}: look around in another terminal (make shell; npx istio-vm status --stack ${name}).\n` +
      "Press Enter to take it back. ",
  );
  terminal.close();
}

async function main(name: string, example: Example): Promise<void> {
  assertInsideLab();
  const lab = labByName();
  const freshDisks = () => Promise.all(example.vms.map((vm) => resetVm(lab, vm)));
  await makeStack(name);
  try {
    await freshDisks();
    await example.prepare?.(lab);
    await pulumi("up", "--yes", "--skip-preview", "--stack", name);
    printRows(await example.show(lab));
    await lookAround(name);
  } finally {
    await pulumi("destroy", "--yes", "--skip-preview", "--stack", name);
    await pulumi("stack", "rm", "--yes", "--stack", name);
    await removePods(example);
    await example.end?.(lab);
    await freshDisks();
  }
}

const [name = ""] = process.argv.slice(2);
main(name, EXAMPLES[name]!).catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
