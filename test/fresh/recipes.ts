/** What the machines are made of, kept in the lab's cache. */
import { join } from "node:path";
import type { Recipe } from "../../lab/artifacts";
import { run } from "../../lab/run";

/** What carries a machine: hardware virtualisation, QEMU's own emulation (40 times slower), or user-mode Linux. */
export type Kind = "kvm" | "emulated" | "uml";

/** A kernel for user-mode Linux. */
export const kernel: Recipe = {
  name: "fresh-kernel",
  title: "user-mode Linux (Debian's newest source)",
  files: ["test/fresh/kernel.sh", "test/fresh/kernel.config"],
  build: async ({ out, log }) =>
    void (await run(["bash", join(__dirname, "kernel.sh"), out], { log, contained: true })),
};

/** A stock Debian's disk. */
export function disk(suite: string, kind: Kind): Recipe {
  const needs = kind === "uml" ? [kernel] : [];
  return {
    name: `fresh-${suite}-${kind === "uml" ? "uml" : "qemu"}`,
    title: `disk of a stock Debian (${suite})`,
    files: ["test/fresh/disk.sh"],
    needs,
    async build({ out, log, artifact }) {
      await run(["bash", join(__dirname, "disk.sh"), suite, out, ...needs.map(artifact)], { log, contained: true });
    },
  };
}
