/** Debian packages that some test installs on a VM, each in a folder with all that it needs beside what a VM has. */
import { cpSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Recipe } from "../artifacts";
import { folder, listFolder } from "../paths";
import { run } from "../run";
import { vmRoot } from "./roots";

/** By the name of the folder. */
const PACKAGES = ["systemd-resolved", "libnss-resolve", "resolvconf", "mariadb-server", "mariadb-client"] as const;

export const debs: Recipe = {
  name: "debs",
  title: `packages for VMs: ${PACKAGES.join(", ")} (Debian)`,
  files: ["lab/recipes/debs.ts"],
  needs: [vmRoot],
  async build({ out, log, artifact }) {
    const root = join(out, "root");
    await run(["cp", "--archive", artifact(vmRoot), root], { log });
    cpSync("/etc/resolv.conf", join(root, "etc/resolv.conf"));
    const apt = (...args: string[]) =>
      run(["chroot", root, "apt-get", ...args], { log, contained: true, env: { DEBIAN_FRONTEND: "noninteractive" } });
    await apt("update");
    for (const name of PACKAGES) {
      await apt("install", "--download-only", "--yes", "--no-install-recommends", name);
      const archives = join(root, "var/cache/apt/archives");
      for (const file of listFolder(archives).filter((each) => each.endsWith(".deb"))) {
        renameSync(join(archives, file), join(folder(out, name), file));
      }
    }
    rmSync(root, { recursive: true });
  },
};
