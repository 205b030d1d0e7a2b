/**
 * Cgroups of the lab's machines. All processes of a machine are in its cgroup, whatever they do, so the cgroup is how
 * the lab finds and ends them: no file that says which process is ours can be lost or out of date.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Lab } from "./paths";
import { until } from "./run";

export interface Hierarchy {
  version: 1 | 2;
  /** As /proc/self/cgroup names them; of cgroup v2, those that no v1 hierarchy has. */
  controllers: string[];
  mount: string;
  /** The cgroup of this process in it. */
  own: string;
}

/** The cgroup hierarchies of this machine: several on v1, one on v2, and on hybrid v2 beside those of v1. */
export function hierarchies(read = (path: string) => readFileSync(path, "utf8")): Hierarchy[] {
  const mounts = read("/proc/self/mounts")
    .split("\n")
    .map((line) => line.split(" "))
    .filter(([, path, type]) => (type === "cgroup" || type === "cgroup2") && path?.startsWith("/sys/fs/cgroup"));
  return read("/proc/self/cgroup")
    .trim()
    .split("\n")
    .flatMap((line): Hierarchy[] => {
      const [, names = "", path = "/"] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
      const controllers = names.split(",").filter(Boolean);
      const found = mounts.find(([, , type, options]) =>
        controllers.length === 0
          ? type === "cgroup2"
          : type === "cgroup" && controllers.every((name) => options!.split(",").includes(name)),
      );
      if (!found) return [];
      const mount = found[1]!;
      const own = join(mount, path);
      if (controllers.length > 0) return [{ version: 1, controllers, mount, own }];
      const available = read(join(mount, "cgroup.controllers")).split(/\s/).filter(Boolean);
      return [{ version: 2, controllers: available, mount, own }];
    });
}

/** The hierarchy of a machine that runs on cgroup v2 alone; none on v1 and hybrid. */
export const unified = (all: Hierarchy[]) =>
  all.find(({ version, mount }) => version === 2 && mount === "/sys/fs/cgroup");

/** The controllers that the lab's machines need. */
export const controllersNeeded = {
  1: ["cpu", "cpuacct", "cpuset", "memory", "pids", "devices", "freezer", "name=systemd"],
  2: ["cpu", "memory", "pids"],
};

const groupName = (lab: Lab, machine: string) => `${lab.netns}-${machine}`;

/**
 * Makes a machine's cgroups.
 * @returns the folders of those that its first process moves into; and on cgroup v2 alone the one that is the
 * machine's to divide, with its controllers
 */
export function makeCgroups(lab: Lab, machine: string): { folders: string[]; divisible?: string } {
  const all = hierarchies();
  const name = groupName(lab, machine);
  const only = unified(all);
  if (!only) return { folders: all.map((hierarchy) => makeBelowOwn(hierarchy, name)) };
  const divisible = join(only.mount, name);
  return { folders: [makeAtRoot(only.mount, divisible)], divisible };
}

/** cgroup v1: anywhere will do, as any group may have both processes and groups. */
function makeBelowOwn({ own, controllers }: Hierarchy, name: string): string {
  const group = join(own, name);
  mkdirSync(group, { recursive: true });
  if (controllers.includes("cpuset")) {
    // A new cpuset is empty, and nothing can run in it.
    for (const file of ["cpuset.cpus", "cpuset.mems"]) {
      writeFileSync(join(group, file), readFileSync(join(dirname(group), file)));
    }
  }
  return group;
}

/**
 * cgroup v2: a group with processes can't pass controllers on, and the one of this process has some (in a session, the
 * user's shell). So the machine's group is at the root, where Docker and kubelet put theirs by their "cgroupfs" drivers:
 * systemd leaves groups alone that it didn't make. A controller that it turns off at the root, as no unit needs it, the
 * kernel keeps as long as a group passes it on; and one that was turned on here stays until systemd does that. (A scope
 * with Delegate=yes would need systemd, which not every machine has, and its end comes some time after the lab's.)
 */
function makeAtRoot(root: string, group: string): string {
  const leaf = join(group, "init");
  mkdirSync(leaf, { recursive: true });
  const enable = controllersNeeded[2].map((name) => `+${name}`).join(" ");
  for (const each of [root, group]) writeFileSync(join(each, "cgroup.subtree_control"), enable);
  return leaf;
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
      findCgroups(lab, machine).forEach(killAll);
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

/** Kills what is in a cgroup and below: where it is cgroup v2 all at once, so that nothing can fork meanwhile. */
function killAll(group: string): void {
  const file = join(group, "cgroup.kill");
  if (existsSync(file)) unlessGone(() => writeFileSync(file, "1"), undefined);
  else for (const pid of descendants(group).flatMap(processesIn)) unlessGone(() => process.kill(pid, "SIGKILL"), true);
}

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
