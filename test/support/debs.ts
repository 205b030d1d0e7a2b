/** Debian packages that the lab has for tests (lab/recipes/debs.ts), on its machines. */
import { cpSync } from "node:fs";
import { join } from "node:path";
import { artifactPath } from "../../lab/artifacts";
import { leaderOf } from "../../lab/cgroups";
import { folder, listFolder, type Lab } from "../../lab/paths";
import { debs } from "../../lab/recipes/debs";
import { run } from "../../lab/run";
import { vmExec } from "../../lab/vm";

const filesOf = (name: string) =>
  listFolder(join(artifactPath(debs), name)).map((file) => join(artifactPath(debs), name, file));

/** Installs a package on a VM, with all that it needs. */
export async function installDebs(lab: Lab, vm: string, name: string): Promise<void> {
  cpSync(join(artifactPath(debs), name), `/proc/${leaderOf(lab, vm)}/root/root/${name}`, { recursive: true });
  await vmExec(lab, vm, [
    "sh",
    "-euc",
    `DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends /root/${name}/*.deb`,
  ]);
}

/** Unpacks a package, and all that it needs, into a folder of the node, from where pods can have it. */
export async function unpackDebs(lab: Lab, name: string, to: string): Promise<void> {
  const root = folder(`/proc/${leaderOf(lab, "node")}/root`, to);
  for (const file of filesOf(name)) await run(["dpkg-deb", "--extract", file, root]);
}
