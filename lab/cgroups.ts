/**
 * Cgroups of the lab's machines. All processes of a machine are in its cgroup, whatever they do, so the cgroup is how
 * the lab finds and ends them: no file that says which process is ours can be lost or out of date.
 */
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Lab } from "./paths";
import { until } from "./run";

interface Hierarchy {
  /** As /proc/self/cgroup names them; none for cgroup v2. */
  controllers: string[];
  mount: string;
  /** The cgroup of this process in it. */
  own: string;
}

/** The cgroup hierarchies of this machine. */
export function hierarchies(): Hierarchy[] {
  const mounts = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" "))
    .filter(([, path, type]) => (type === "cgroup" || type === "cgroup2") && path?.startsWith("/sys/fs/cgroup"));
  return readFileSync("/proc/self/cgroup", "utf8")
    .trim()
    .split("\n")
    .flatMap((line) => {
      const [, names = "", path = "/"] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
      const controllers = names.split(",").filter(Boolean);
      const found = mounts.find(([, , type, options]) =>
        controllers.length === 0
          ? type === "cgroup2"
          : type === "cgroup" && controllers.every((name) => options!.split(",").includes(name)),
      );
      return found ? [{ controllers, mount: found[1]!, own: join(found[1]!, path) }] : [];
    });
}

const groupName = (lab: Lab, machine: string) => `${lab.netns}-${machine}`;

/** Makes a machine's cgroup in every hierarchy, below this process's own. Returns the folders. */
export function makeCgroups(lab: Lab, machine: string): string[] {
  return hierarchies().map(({ own, controllers }) => {
    const group = join(own, groupName(lab, machine));
    mkdirSync(group, { recursive: true });
    if (controllers.includes("cpuset")) {
      // A new cpuset is empty, and nothing can run in it.
      for (const file of ["cpuset.cpus", "cpuset.mems"]) {
        writeFileSync(join(group, file), readFileSync(join(dirname(group), file)));
      }
    }
    return group;
  });
}

/** The processes of a machine, those in its containers and units included. */
export function processesOf(lab: Lab, machine: string): number[] {
  const groups = findCgroups(lab, machine).flatMap(descendants);
  return [...new Set(groups.flatMap(processesIn))];
}

/** PID 1 of a machine, as this computer numbers it; none if the machine does not run. */
export function leaderOf(lab: Lab, machine: string): number | undefined {
  return processesOf(lab, machine).find(isFirstProcess);
}

/** The machines that have a cgroup, running or not. */
export function machinesWithCgroups(lab: Lab): string[] {
  const prefix = groupName(lab, "");
  const names = allCgroups().map((group) => basename(group));
  return [...new Set(names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length)))];
}

/** Kills all processes of a machine and removes its cgroups. */
export async function endMachine(lab: Lab, machine: string): Promise<void> {
  let left: number[] = [];
  await until(
    `the processes of ${machine} to end`,
    30,
    () => {
      left = processesOf(lab, machine);
      left.forEach(kill);
      return left.length === 0;
    },
    () => `still there: ${left.join(", ")}`,
  );
  await until(`the cgroups of ${machine} to be empty`, 30, () => findCgroups(lab, machine).every(removeTree));
}

/** A machine's cgroup in each hierarchy. It is looked for, as each `up` may run in another cgroup than the last. */
function findCgroups(lab: Lab, machine: string): string[] {
  const name = groupName(lab, machine);
  return allCgroups().filter((group) => basename(group) === name);
}

const allCgroups = () => hierarchies().flatMap(({ mount }) => descendants(mount));

/** A cgroup and those below it, parents first. */
function descendants(group: string): string[] {
  return [group, ...subfolders(group).flatMap((name) => descendants(join(group, name)))];
}

// Processes and cgroups of a machine come and go while they are looked at.
const gone = new Set(["ENOENT", "ESRCH", "ENODEV"]);

function unlessGone<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch (error) {
    if (gone.has((error as NodeJS.ErrnoException).code ?? "")) return otherwise;
    throw error;
  }
}

function subfolders(path: string): string[] {
  const entries = unlessGone(() => readdirSync(path, { withFileTypes: true }), []);
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}

function processesIn(group: string): number[] {
  return unlessGone(() => readFileSync(join(group, "cgroup.procs"), "utf8"), "")
    .split("\n")
    .filter(Boolean)
    .map(Number);
}

const isFirstProcess = (pid: number) =>
  /^NSpid:\t\d+\t1$/m.test(unlessGone(() => readFileSync(`/proc/${pid}/status`, "utf8"), ""));

const kill = (pid: number) => unlessGone(() => process.kill(pid, "SIGKILL"), true);

/** Removes a cgroup with those below it; says whether nothing is left. */
function removeTree(group: string): boolean {
  for (const each of descendants(group).reverse()) {
    try {
      unlessGone(() => rmdirSync(each), undefined);
    } catch (error) {
      // The kernel takes a moment to let go of a process that has ended.
      if ((error as NodeJS.ErrnoException).code !== "EBUSY") throw error;
      return false;
    }
  }
  return true;
}
