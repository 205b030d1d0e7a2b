/** What the lab needs of the kernel: loaded where it is a module, and checked. */
import { existsSync, readFileSync, readlinkSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { controllersNeeded, hierarchies, unified, type Hierarchy } from "./cgroups";
import { listFolder } from "./paths";
import { run } from "./run";

/** What was found. */
export interface Kernel {
  hierarchies: Hierarchy[];
  /** Whether processes keep the root of cgroup v2 from passing controllers on. */
  rootOccupied: boolean;
  /** /proc/filesystems */
  filesystems: string;
  /** Whether iptables can see what crosses a bridge. */
  bridgeFilter: boolean;
  /** What modprobe said, by module. */
  notLoaded: Record<string, string>;
}

/** Loads the modules that nothing loads by itself when it is used, and looks at what is there. */
export async function lookAtKernel(): Promise<Kernel> {
  const notLoaded: Record<string, string> = {};
  const load = (module: string) =>
    run(["modprobe", module]).catch((error: Error) => (notLoaded[module] = error.message));
  if (!hasOverlay(filesystems())) await load("overlay");
  if (!hasBridgeFilter()) {
    await load("br_netfilter");
    // What crosses bridges of this computer goes on as before.
    for (const name of hasBridgeFilter() ? ["iptables", "ip6tables", "arptables"] : []) {
      writeFileSync(join(bridgeSettings, `bridge-nf-call-${name}`), "0");
    }
  }
  const all = hierarchies();
  const root = unified(all)?.mount;
  return {
    hierarchies: all,
    // The kernel's own root has no cgroup.type, and may have both processes and groups.
    rootOccupied:
      root !== undefined &&
      existsSync(join(root, "cgroup.type")) &&
      readFileSync(join(root, "cgroup.procs"), "utf8") !== "",
    filesystems: filesystems(),
    bridgeFilter: hasBridgeFilter(),
    notLoaded,
  };
}

/** What of that is in the lab's way, each with what to do about it. */
export function kernelProblems(kernel: Kernel): string[] {
  const problems: string[] = [];
  const only = unified(kernel.hierarchies);
  const usable = only ? [only] : kernel.hierarchies.filter(({ version }) => version === 1);
  const mounted = usable.flatMap(({ controllers }) => controllers);
  const missing = controllersNeeded[only ? 2 : 1].filter((name) => !mounted.includes(name));
  if (missing.length > 0) {
    const what = `no cgroup controllers ${missing.join(", ")} under /sys/fs/cgroup`;
    problems.push(
      only
        ? `${what}: take cgroup_disable= off the kernel's command line, or boot a kernel that has them`
        : `${what}, which is cgroup v1: boot with systemd.unified_cgroup_hierarchy=1, which makes it cgroup v2`,
    );
  }
  if (kernel.rootOccupied) {
    problems.push(
      "there are processes in the root of /sys/fs/cgroup, as in a container without an init: " +
        "run the lab outside of the container, or in one that systemd boots",
    );
  }
  const module = (what: string, name: string) => {
    const said = kernel.notLoaded[name];
    return (
      `no ${what}${said ? ` (${said})` : ""}: if the kernel was upgraded since the last boot, reboot; ` +
      `else install the kernel's package that has the module ${name}`
    );
  };
  if (!hasOverlay(kernel.filesystems)) problems.push(module("overlay file system", "overlay"));
  if (!kernel.bridgeFilter) problems.push(module("filtering of bridges by iptables", "br_netfilter"));
  return problems;
}

/** What kube-proxy and a sidecar have the kernel do. */
const firewalls: Record<string, string> = {
  nft: `nft 'add table ip t; add chain ip t c { type nat hook output priority 0; };
    add rule ip t c fib daddr type local dnat to numgen random mod 2 map { 0 : 127.0.0.1, 1 : 127.0.0.2 };
    add chain ip t d { type nat hook postrouting priority 0; }; add rule ip t d masquerade'`,
  iptables: "iptables -t nat -A OUTPUT -p tcp -m owner --uid-owner 1 -j REDIRECT --to-ports 1",
};

/**
 * Tries what the lab's machines do with nft and iptables, in a network of its own: this also has the kernel load what it
 * takes. Needs their packages.
 * @throws with what is missing and what to do about it
 */
export async function checkFirewalls(): Promise<void> {
  for (const [name, command] of Object.entries(firewalls)) {
    await run(["unshare", "--net", "sh", "-c", command]).catch((error: Error) => {
      throw new Error(
        `the kernel can't do with ${name} what the lab needs: if it was upgraded since the last boot, reboot; ` +
          `else install the package with its nf_tables and xt modules\n${error.message}`,
      );
    });
  }
}

/** What is to be started. */
interface Start {
  node: boolean;
  vms: number;
}

/**
 * Checks that what is to be started does not exceed a user's number of inotify instances, which nothing reports well:
 * "Too many open files", or a machine that does not come up.
 * @throws with what to do about it
 */
export function checkInotify(start: Start): void {
  const limit = Number(readFileSync("/proc/sys/fs/inotify/max_user_instances", "utf8"));
  const problem = inotifyProblem(limit, inotifyUsed(), start);
  if (problem) throw new Error(problem);
}

/**
 * @param used how many root has now
 * @returns why that won't do, and what to do about it; nothing if it will
 */
export function inotifyProblem(limit: number, used: number, start: Start): string | undefined {
  // Counted in running labs: 21 of the node, 7 of each VM.
  const needed = (start.node ? 24 : 0) + 8 * start.vms;
  if (used + needed <= limit) return undefined;
  return (
    `fs.inotify.max_user_instances is ${limit}, ${used} are in use, and the lab takes ${needed} more: ` +
    `run \`sysctl -w fs.inotify.max_user_instances=${Math.max(1024, 2 * limit)}\``
  );
}

/** How many inotify instances root has, as far as they can be seen. */
function inotifyUsed(): number {
  const processes = listFolder("/proc").filter((name) => /^\d+$/.test(name));
  return processes
    .filter((pid) => unlessHidden(() => statSync(`/proc/${pid}`).uid === 0, false))
    .flatMap((pid) => unlessHidden(() => listFolder(`/proc/${pid}/fd`), []).map((fd) => `/proc/${pid}/fd/${fd}`))
    .filter((path) => unlessHidden(() => readlinkSync(path), "") === "anon_inode:inotify").length;
}

/** Processes end while they are looked at, and a few are closed even to root. */
function unlessHidden<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch (error) {
    if (["ENOENT", "ESRCH", "EACCES"].includes((error as NodeJS.ErrnoException).code ?? "")) return otherwise;
    throw error;
  }
}

const filesystems = () => readFileSync("/proc/filesystems", "utf8");
const hasOverlay = (text: string) => /\toverlay$/m.test(text);
const bridgeSettings = "/proc/sys/net/bridge";
const hasBridgeFilter = () => existsSync(join(bridgeSettings, "bridge-nf-call-iptables"));
