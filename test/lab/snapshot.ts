/** What of this computer a lab could leave behind. */
import { readFileSync } from "node:fs";
import { listFolder } from "../../lab/paths";
import { run } from "../../lab/run";

/** Things that count or tick by themselves. */
const volatileSettings =
  /^(fs\.(quota\.|dentry-state|file-nr|inode-(nr|state)|aio-nr)|kernel\.(random\.|ns_last_pid|pty\.nr)|net\.netfilter\.nf_conntrack_count|dev\.cdrom)/;

/** Other labs and programs come and go on this computer meanwhile: their things are left out. */
const ofOthers = /istio-vm-(?!selftest)|\/run\/(lock|user|postgresql|mount)|process_api/;

/** Cgroups of v1 and v2 alike. Where systemd runs, its units come and go with users and timers. */
const unitsOfSystemd = String.raw`\.(service|slice|scope|socket|mount|swap)$`;

const commands: Record<string, string> = {
  mounts: "cut -d' ' -f1-4 /proc/self/mounts",
  namespaces: "ip netns list",
  links: "ip -oneline link show | cut -d: -f2-3",
  routes: "ip route show table all; ip -6 route show table all; ip rule",
  nft: "nft list ruleset",
  iptables: "iptables-legacy-save | grep -v '^[#:]'",
  cgroups: `find /sys/fs/cgroup -type d | grep -vE '${unitsOfSystemd}'`,
  settings: "sysctl --all 2>&1",
  etc: "find /etc -printf '%p %m %u %s %T@\\n'",
  run: "find /run -xdev -printf '%p %y %m %u\\n'",
  var: "find /var/lib /var/log /var/tmp -maxdepth 2 -printf '%p %y %m %u\\n'",
};

/** What is there now, by kind, as sorted lines. */
export async function snapshot(): Promise<Record<string, string[]>> {
  const found: Record<string, string[]> = { processes: processesOfLab("selftest") };
  for (const [kind, command] of Object.entries(commands)) {
    const lines = (await run(["sh", "-c", `{ ${command}; } || true`])).split("\n");
    found[kind] = lines.filter((line) => line && !ofOthers.test(line) && !volatileSettings.test(line)).sort();
  }
  return found;
}

/** The processes in cgroups of a lab, or that name its state. */
function processesOfLab(name: string): string[] {
  const read = (pid: string, file: string) => {
    try {
      return readFileSync(`/proc/${pid}/${file}`, "utf8");
    } catch {
      return ""; // It has ended.
    }
  };
  return (
    listFolder("/proc")
      .filter((pid) => /^\d+$/.test(pid))
      .filter((pid) => `${read(pid, "cgroup")} ${read(pid, "cmdline")}`.includes(`istio-vm-${name}`))
      .map((pid) => `${pid} ${read(pid, "cmdline").replaceAll("\0", " ")}`)
      // What has ended and waits for PID 1 to notice has no command line any more.
      .filter((line) => /^\d+ ./.test(line))
  );
}
