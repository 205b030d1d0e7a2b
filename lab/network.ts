/** The lab's network: a namespace with one bridge and no route out. */
import { existsSync, readFileSync, rmdirSync } from "node:fs";
import { isDual } from "./dual";
import { bridge, ipv6, listFolder, node, podRange, serviceRange, type Lab } from "./paths";
import { run, succeeds, until } from "./run";

/** Makes what is missing of the namespace and the bridge. */
export async function startNetwork(lab: Lab): Promise<void> {
  const ip = (...args: string[]) => run(["ip", "-n", lab.netns, ...args]);
  if (!existsSync(lab.netnsFile)) await run(["ip", "netns", "add", lab.netns]);
  await ip("link", "set", "lo", "up");
  if (!(await hasLink(lab, bridge.name))) await ip("link", "add", bridge.name, "type", "bridge");
  await ip("addr", "replace", `${bridge.address}/${bridge.prefix}`, "dev", bridge.name);
  await ip("link", "set", bridge.name, "up");
  // Nobody here may use the bridge as a way to somewhere else; pods and services are behind the node.
  await run(["nsenter", `--net=${lab.netnsFile}`, "sysctl", "--quiet", "--write", "net.ipv4.ip_forward=0"]);
  for (const range of [podRange, serviceRange]) await ip("route", "replace", range, "via", node.address);
  if (!isDual(lab)) return;
  // At once: duplicates are looked for only where they can be.
  await ip("addr", "replace", `${ipv6.bridge}/${ipv6.prefix}`, "dev", bridge.name, "nodad");
  for (const range of [ipv6.podRange, ipv6.serviceRange]) await ip("route", "replace", range, "via", ipv6.node);
}

/** Whether an interface is there in the lab's namespace. */
export function hasLink(lab: Lab, link: string): Promise<boolean> {
  return succeeds(["ip", "-n", lab.netns, "link", "show", link]);
}

/**
 * Ends the processes in the namespace (a shell, a test) and removes it.
 * @throws when called inside: the caller would end itself
 */
export async function stopNetwork(lab: Lab): Promise<void> {
  if (!existsSync(lab.netnsFile)) return;
  let signal: NodeJS.Signals = "SIGTERM";
  const second = setTimeout(() => (signal = "SIGKILL"), 5000);
  await until("the processes in the lab's network to end", 15, async () => {
    const inside = (await run(["ip", "netns", "pids", lab.netns])).split("\n").filter(Boolean).map(Number);
    if (inside.includes(process.pid)) throw new Error("this runs inside the lab: stop the lab from outside of it");
    inside.forEach((pid) => end(pid, signal));
    return inside.length === 0;
  });
  clearTimeout(second);
  await run(["ip", "netns", "del", lab.netns]);
  await removeNetnsFolder();
}

function end(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** `ip netns` leaves /run/netns mounted on itself: with no namespace left in it, that goes as well. */
async function removeNetnsFolder(): Promise<void> {
  if (listFolder("/run/netns").length > 0) return;
  const mounts = readFileSync("/proc/self/mounts", "utf8");
  if (/ \/run\/netns /.test(mounts)) await run(["umount", "/run/netns"]);
  rmdirSync("/run/netns");
}
