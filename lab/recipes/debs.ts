/** Debian packages for tests: folders of them, each with all that they need beside what a VM has. */
import { cpSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Recipe } from "../artifacts";
import { folder, listFolder } from "../paths";
import { run } from "../run";
import { vmRoot } from "./roots";

/** By the name of the folder. For pods, which have less than a VM, with what their program needs there. */
const PACKAGES = {
  "systemd-resolved": ["systemd-resolved"],
  "libnss-resolve": ["libnss-resolve"],
  resolvconf: ["resolvconf"],
  podman: ["podman", "netavark"],
  "docker.io": ["docker.io", "crun"],
  "mariadb-server": ["mariadb-server"],
  "mariadb-client": ["mariadb-client-core", "libedit2", "libbsd0", "libmd0"],
};

export const debs: Recipe = {
  name: "debs",
  title: `packages for tests: ${Object.keys(PACKAGES).join(", ")} (Debian)`,
  files: ["lab/recipes/debs.ts"],
  needs: [vmRoot],
  async build({ out, log, artifact }) {
    const root = join(out, "root");
    await run(["cp", "--archive", artifact(vmRoot), root], { log });
    cpSync("/etc/resolv.conf", join(root, "etc/resolv.conf"));
    const apt = (...args: string[]) =>
      run(["chroot", root, "apt-get", ...args], { log, contained: true, env: { DEBIAN_FRONTEND: "noninteractive" } });
    await apt("update");
    for (const [name, packages] of Object.entries(PACKAGES)) {
      await apt("install", "--download-only", "--reinstall", "--yes", "--no-install-recommends", ...packages);
      const archives = join(root, "var/cache/apt/archives");
      for (const file of listFolder(archives).filter((each) => each.endsWith(".deb"))) {
        renameSync(join(archives, file), join(folder(out, name), file));
      }
    }
    rmSync(root, { recursive: true });
  },
};
