/** What can happen to a host while a join is at work. */
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { launch } from "../../lab/launch";
import { readlinkSync } from "node:fs";
import { leaderOf } from "../../lab/cgroups";
import { until } from "../../lab/run";
import { startVm, stopVm } from "../../lab/vm";
import type { Host, Session } from "./host";
import { resume } from "./pauses";

/** Does its harm to a host whose join is paused, and sees the join to its end. */
export type Fault = (host: Host, session: Session) => Promise<void>;

/** SIGKILL to everything that the session has started. */
async function kill(host: Host, session: Session): Promise<void> {
  const tree = await sessionProcesses(host);
  if (tree.length === 0) throw new Error(`no join or leave runs on ${host.name}`);
  await host.sh(`kill -KILL ${tree.join(" ")} || :`); // the sleep of the pause may have ended meanwhile
  await session.done;
  resume(host);
}

/** The connection is lost, and the scripts go on alone. */
async function cut(host: Host, session: Session): Promise<void> {
  session.client.kill("SIGKILL");
  await session.done;
  resume(host);
  await host.untilIdle();
}

async function reboot(host: Host, session: Session): Promise<void> {
  await host.reboot();
  await session.done;
}

/** Not a byte is left on the disk until the scripts have ended. Only on the small disk: else it would be this computer's. */
async function full(host: Host, session: Session): Promise<void> {
  await assertSmallDisk(host);
  await host.sh(
    "dd if=/dev/zero of=/var/host-test.fill bs=64k 2>/dev/null || :; dd if=/dev/zero bs=1 >>/var/host-test.fill 2>/dev/null || :",
  );
  resume(host);
  await session.done;
  await host.exec("rm", "/var/host-test.fill");
}

/** Somebody else uses the package manager, for as long as the scripts wait and a little longer. */
async function locked(host: Host, session: Session): Promise<void> {
  await host.sh(holdLock(host));
  resume(host);
  await Promise.race([session.done, delay(20_000)]);
  await host.sh(RELEASE_LOCK);
  await session.done;
  await host.untilIdle();
}

/** Has the package manager's lock until the unit is stopped. */
export const holdLock = ({ packages: { lock } }: Host) => `systemd-run --quiet --unit=host-test python3 -c '
import fcntl, signal
lock = open("${lock}", "w")
fcntl.lockf(lock, fcntl.LOCK_EX)
open("/run/host-test.locked", "w")
signal.pause()'
  until [ -e /run/host-test.locked ]; do :; done
  rm /run/host-test.locked`;
export const RELEASE_LOCK = "systemctl stop host-test";

export const FAULTS = { kill, cut, reboot, full, locked } satisfies Record<string, Fault>;
export type FaultName = keyof typeof FAULTS;

/** Boots a VM with so small a disk that filling it costs little. `host.reset()` gives it its own again. */
export async function bootWithSmallDisk(host: Host, megabytes: number): Promise<void> {
  const { lab, name } = host;
  await host.reset();
  await stopVm(lab, name);
  await until(`${name} to end`, 10, () => leaderOf(lab, name) === undefined);
  launch(lab, name, ["unshare", "--mount", "--propagation", "slave", join(__dirname, "smallDisk.sh")], {
    VM: join(lab.state, "vms", name),
    ROOT: readlinkSync(join(lab.state, "uses", name)),
    MACHINE: `${lab.name}-${name}`,
    NAME: name,
    MEGABYTES: String(megabytes),
  });
  // startVm would boot it the usual way, if it found no machine.
  await until(`${name} to begin`, 20, () => leaderOf(lab, name));
  await startVm(lab, name);
  await assertSmallDisk(host);
}

/** @throws if the host's disk may be filled only at the expense of this computer's */
async function assertSmallDisk(host: Host): Promise<void> {
  const megabytes = Number((await host.sh("df -Pm / | awk 'NR == 2 { print $2 }'")).trim());
  if (!(megabytes < 2000)) throw new Error(`${host.name} has a disk of ${megabytes} MB: the small one was not mounted`);
}

/** Processes of a host that a command of the program has started, the command itself included. */
async function sessionProcesses(host: Host): Promise<string[]> {
  const rows = (await host.exec("ps", "-e", "-o", "pid=,ppid=,args=")).trim().split("\n");
  const processes = rows.map((row) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(row)!.slice(1) as [string, string, string]);
  const found = new Set(processes.flatMap(([pid, , args]) => (/sh -s -- (join|leave)/.test(args) ? [pid] : [])));
  for (let size = -1; size !== found.size;) {
    size = found.size;
    for (const [pid, parent] of processes) if (found.has(parent)) found.add(pid);
  }
  return [...found];
}
