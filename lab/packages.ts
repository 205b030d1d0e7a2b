/** The server from which VMs fetch the sidecar package. */
import { rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { artifactPath, type Recipe, use } from "./artifacts";
import { isRunning, launch, logOf } from "./launch";
import { bridge, folder, listFolder, packageUrl, type Lab } from "./paths";
import { Log, succeeds, until } from "./run";

const machine = "packages";

/** Starts the server, unless it runs, and waits until it answers. @param recipes of the packages */
export async function startPackages(lab: Lab, recipes: Recipe[]): Promise<void> {
  const served = folder(lab.state, "packages");
  for (const recipe of recipes) {
    use(lab.state, recipe.name, recipe);
    for (const file of listFolder(artifactPath(recipe))) {
      rmSync(join(served, file), { force: true });
      symlinkSync(join(artifactPath(recipe), file), join(served, file));
    }
  }
  if (!isRunning(lab, machine)) {
    const server = "/usr/bin/python3 -m http.server 8000".split(" ");
    launch(lab, machine, [...server, "--bind", bridge.address, "--directory", served]);
  }
  const ask = ["nsenter", `--net=${lab.netnsFile}`, "curl", "--silent", "--fail", "--head", packageUrl];
  await until(
    "the package server",
    10,
    () => succeeds(ask),
    () => new Log(logOf(lab, machine)).tail(),
  );
}
