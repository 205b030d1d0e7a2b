/** The server from which VMs fetch the sidecar package. */
import { artifactPath, use } from "./artifacts";
import { isRunning, launch, logOf } from "./launch";
import { bridge, packageUrl, type Lab } from "./paths";
import { sidecar } from "./recipes/sidecar";
import { Log, succeeds, until } from "./run";

const machine = "packages";

/** Starts the server, unless it runs, and waits until it answers. */
export async function startPackages(lab: Lab): Promise<void> {
  if (!isRunning(lab, machine)) {
    use(lab.state, "sidecar", sidecar);
    const server = "/usr/bin/python3 -m http.server 8000".split(" ");
    launch(lab, machine, [...server, "--bind", bridge.address, "--directory", artifactPath(sidecar)]);
  }
  const ask = ["nsenter", `--net=${lab.netnsFile}`, "curl", "--silent", "--fail", "--head", packageUrl];
  await until(
    "the package server",
    10,
    () => succeeds(ask),
    () => new Log(logOf(lab, machine)).tail(),
  );
}
