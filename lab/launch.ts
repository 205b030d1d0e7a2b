/** Starting the lab's long-running processes. */
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { makeCgroups, processesOf } from "./cgroups";
import { folder, type Lab } from "./paths";

// Moves the shell into its cgroups before it becomes the command, so that nothing ever runs outside of them.
const script = 'while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs" || exit; shift; done; shift; exec "$@"';

/**
 * Starts a process that stays when this one ends, in the lab's network and in cgroups under the name of `machine`.
 * Its output goes to `log/<machine>.log` in the lab's state. On cgroup v2 alone it finds in CGROUP the cgroup that it may
 * divide; it starts in a leaf of that, `init`.
 */
export function launch(lab: Lab, machine: string, argv: string[], env: Record<string, string> = {}): void {
  const output = openSync(logOf(lab, machine), "a");
  const { folders, divisible = "" } = makeCgroups(lab, machine);
  const inside = ["nsenter", `--net=${lab.netnsFile}`, ...argv];
  const child = spawn("bash", ["-c", script, machine, ...folders, "--", ...inside], {
    cwd: "/",
    // What runs in the lab does not depend on who started it.
    env: { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", CGROUP: divisible, ...env },
    stdio: ["ignore", output, output],
    detached: true,
  });
  child.unref();
  closeSync(output);
}

/** Where a machine's output goes. */
export const logOf = (lab: Lab, machine: string) => join(folder(lab.state, "log"), `${machine}.log`);

/** Whether anything of a machine runs. */
export const isRunning = (lab: Lab, machine: string) => processesOf(lab, machine).length > 0;
