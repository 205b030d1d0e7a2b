import { execa } from "execa";
import type { Outputs } from "../diagnosis/facts";
import { authoritiesText } from "../mesh/rotation";
import { print } from "./output";
import { readStack, requireConfig } from "./stack";

type Authorities = NonNullable<Outputs["authorities"]>;

/** The next word about it, and whether that is the last one. */
export function verdict(before: Authorities | undefined, now: Authorities): { text: string; exitCode?: number } {
  const { known, signer, wanted, waitsFor } = now;
  if (known.length === 1 && signer === wanted) return { text: `the mesh has the CA ${wanted} alone`, exitCode: 0 };
  if (before !== undefined && authoritiesText(before) === authoritiesText(now)) {
    const who = waitsFor.length > 0 ? `, and waits for\n  ${waitsFor.join("\n  ")}` : "";
    return { text: `${wanted} takes the place of the CA; it stays at this step${who}`, exitCode: 1 };
  }
  return { text: `${wanted} takes the place of the CA: the next step` };
}

/** Runs `pulumi up` until another CA has taken the place of the mesh's, or can't any further. @returns the exit code */
export async function rotate({ stack: name }: { stack?: string }): Promise<number> {
  for (let before: Authorities | undefined; ;) {
    const args = ["up", "--yes", "--skip-preview", ...(name === undefined ? [] : ["--stack", name])];
    const { exitCode } = await execa("pulumi", args, { stdio: "inherit", reject: false });
    if (exitCode !== 0) return exitCode ?? 2;
    const now = requireConfig(await readStack(name)).outputs?.authorities;
    if (now === undefined) throw new Error("the stack has no CA of its own: whoever owns the mesh replaces its CA");
    const { text, exitCode: end } = verdict(before, now);
    print(text);
    if (end !== undefined) return end;
    before = now;
  }
}
