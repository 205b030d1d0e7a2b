/** What this machine must have, checked before anything is done. */
import { execFileSync } from "node:child_process";
import { readFileSync, statfsSync } from "node:fs";
import { totalmem } from "node:os";
import { join } from "node:path";
import { hierarchies } from "./cgroups";
import { cacheFolder, folder, labFolder } from "./paths";
import { run, succeeds, type Log } from "./run";

/** What the roots' packages are verified with. */
export const debianKeyring = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** Commands and files that the lab uses on this machine, and the Debian packages that have them. */
const used: Record<string, string> = {
  debootstrap: "debootstrap",
  gpgv: "gpgv",
  [debianKeyring]: "debian-archive-keyring",
  "systemd-nspawn": "systemd-container",
  ip: "iproute2",
  modprobe: "kmod",
  sysctl: "procps",
  mount: "mount",
  ssh: "openssh-client",
  "dpkg-deb": "dpkg",
  tar: "tar",
  curl: "curl",
  openssl: "openssl",
  "/usr/bin/python3": "python3",
  // Envoy is a Python wheel.
  pip3: "python3-pip",
  // The tests compare what these show before and after.
  nft: "nftables",
  "iptables-legacy-save": "iptables",
  // And put clocks wrong.
  "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1": "libfaketime",
};

/**
 * Checks that cost nothing.
 * @param gigabytes how much disk must be free for the cache
 * @throws with everything that is missing and what to do about it
 */
export function checkMachine(gigabytes: number): void {
  const problems: string[] = [];
  const check = (good: boolean, problem: string) => void (good || problems.push(problem));
  check(
    process.platform === "linux" && process.arch === "x64",
    `this is ${process.platform} on ${process.arch}: the lab needs Linux on x86-64`,
  );
  check(process.getuid?.() === 0, "not root: the lab makes namespaces, mounts and machines. Run it as root");
  const [major, minor] = process.versions.node.split(".").map(Number) as [number, number];
  check(
    major > 20 || (major === 20 && minor >= 19),
    `Node ${process.versions.node} is too old: install Node 20.19 or newer`,
  );
  const memory = totalmem() / 2 ** 30;
  check(memory >= 6, `${memory.toFixed(1)} GiB of memory: the lab needs 6`);
  const mounted = new Set(hierarchies().flatMap((hierarchy) => hierarchy.controllers));
  for (const controller of ["cpu", "cpuacct", "cpuset", "memory", "pids", "devices", "freezer", "name=systemd"]) {
    check(
      mounted.has(controller),
      `no cgroup v1 hierarchy "${controller}" under /sys/fs/cgroup: the lab was made for cgroup v1 or hybrid ` +
        "(boot with systemd.unified_cgroup_hierarchy=0)",
    );
  }
  check(
    /\toverlay$/m.test(readFileSync("/proc/filesystems", "utf8")),
    "no overlay file system: run `modprobe overlay`",
  );
  // Looked at last, as root: this makes the folder.
  if (problems.length === 0) {
    const disk = statfsSync(folder(cacheFolder));
    const free = (disk.bavail * disk.bsize) / 2 ** 30;
    check(
      free >= gigabytes,
      `${free.toFixed(1)} GiB free at ${cacheFolder}: ${gigabytes} are needed. Free some, or set ISTIO_VM_CACHE`,
    );
  }
  if (problems.length > 0) throw new Error(`this machine can't run the lab:\n- ${problems.join("\n- ")}`);
}

/**
 * Warns if starting a whole lab may exceed the number of inotify instances of a user, which nothing reports well:
 * "Too many open files", or a machine that does not come up.
 */
export function warnOfLimits(vms: number): void {
  const limit = Number(readFileSync("/proc/sys/fs/inotify/max_user_instances", "utf8"));
  const needed = 25 + 10 * vms;
  if (limit < needed + 60) {
    console.error(
      `fs.inotify.max_user_instances is ${limit}, and this lab alone takes about ${needed}: ` +
        "if machines do not come up, run `sysctl -w fs.inotify.max_user_instances=1024`",
    );
  }
}

/** Installs the Debian packages of what is missing. */
export async function installPackages(log: Log): Promise<void> {
  const look = 'for name; do command -v "$name" >/dev/null || [ -e "$name" ] || echo "$name"; done';
  const absent = (await run(["sh", "-c", look, "sh", ...Object.keys(used)])).split("\n").filter(Boolean);
  const missing = absent.map((name) => used[name]!);
  if (missing.length === 0) return;
  if (!(await succeeds(["sh", "-c", "command -v apt-get"]))) {
    throw new Error(
      `missing: ${missing.join(", ")}; and no apt-get to install them with: the lab needs Debian or Ubuntu`,
    );
  }
  console.log(`installing with apt: ${[...new Set(missing)].join(", ")}`);
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  await run(["apt-get", "update"], { log, env });
  await run(["apt-get", "install", "--yes", "--no-install-recommends", ...new Set(missing)], { log, env });
}

/** Puts a Go that can build the lab first in PATH, unless the machine's own can. */
export function provideGo(): void {
  const bin = execFileSync("sh", [join(labFolder, "toolchain.sh"), "go"], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (bin) process.env.PATH = `${bin.trim()}:${process.env.PATH}`;
}
