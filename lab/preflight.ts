/** What this machine must have, checked before anything is done. */
import { execFileSync } from "node:child_process";
import { statfsSync } from "node:fs";
import { totalmem } from "node:os";
import { join } from "node:path";
import { isAtLeast } from "../mesh/version";
import { engines } from "../package.json";
import { kernelProblems, lookAtKernel } from "./kernel";
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
 * Checks that cost nothing; loads the kernel's modules that are needed.
 * @param gigabytes how much disk must be free for the cache
 * @throws with everything that is missing and what to do about it
 */
export async function checkMachine(gigabytes: number): Promise<void> {
  const problems: string[] = [];
  const check = (good: boolean, problem: string) => void (good || problems.push(problem));
  check(
    process.platform === "linux" && process.arch === "x64",
    `this is ${process.platform} on ${process.arch}: the lab needs Linux on x86-64`,
  );
  check(process.getuid?.() === 0, "not root: the lab makes namespaces, mounts and machines. Run it as root");
  const wanted = engines.node.replace(/^\D*/, "");
  check(
    isAtLeast(process.versions.node, wanted),
    `Node ${process.versions.node} is too old: install Node ${wanted} or newer`,
  );
  const memory = totalmem() / 2 ** 30;
  check(memory >= 6, `${memory.toFixed(1)} GiB of memory: the lab needs 6`);
  // Looked at as root on Linux: this loads modules.
  if (problems.length === 0) problems.push(...kernelProblems(await lookAtKernel()));
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

/** Installs the Debian packages of what is missing. */
export async function installPackages(log: Log): Promise<void> {
  const look = 'for name; do command -v "$name" >/dev/null || [ -e "$name" ] || echo "$name"; done';
  const absent = (await run(["sh", "-c", look, "sh", ...Object.keys(used)])).split("\n").filter(Boolean);
  const missing = [...new Set(absent.map((name) => used[name]!))];
  if (missing.length === 0) return;
  if (!(await succeeds(["sh", "-c", "command -v apt-get"]))) {
    throw new Error(
      `missing: ${missing.join(", ")}; and no apt-get to install them with: the lab needs Debian or Ubuntu`,
    );
  }
  console.log(`installing with apt: ${missing.join(", ")}`);
  await aptInstall(missing, log);
}

/** Installs Debian packages, and nothing that they only recommend. */
export async function aptInstall(packages: string[], log: Log): Promise<void> {
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  await run(["apt-get", "update"], { log, env });
  await run(["apt-get", "install", "--yes", "--no-install-recommends", ...packages], { log, env });
}

/** Puts a Go that can build the lab first in PATH, unless the machine's own can. */
export function provideGo(): void {
  const bin = execFileSync("sh", [join(labFolder, "toolchain.sh"), "go"], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (bin) process.env.PATH = `${bin.trim()}:${process.env.PATH}`;
}
