/** The VMs: systemd machines (systemd-nspawn) on the lab's bridge. */
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { use } from "./artifacts";
import { endMachine, leaderOf } from "./cgroups";
import { isDual } from "./dual";
import { launch, logOf } from "./launch";
import { folder, ipv6, knownVms, labFolder, node, rpmVm, vmByName, type Lab, type Vm } from "./paths";
import { vmRoot } from "./recipes/roots";
import { rpmRoot } from "./recipes/rpmRoot";
import { Log, run, succeeds, until } from "./run";

/** The user of every VM: may sudo, logs in with the lab's key. */
export const vmUser = { name: "admin", id: 1000 };

/** Makes the lab's SSH key, and a host key for each VM: `ssh/` of the lab's state is complete before any VM runs. */
export async function prepareVms(lab: Lab, names: string[]): Promise<void> {
  const ssh = folder(lab.state, "ssh");
  await makeKey(join(ssh, "id_ed25519"), `lab-${lab.name}`);
  for (const name of names) {
    const vm = vmByName(lab, name);
    await makeKey(join(folder(vm.folder), "host_key"), name);
    const machineId = join(vm.folder, "machine-id");
    if (!existsSync(machineId)) writeFileSync(machineId, `${randomBytes(16).toString("hex")}\n`);
  }
  const vms = knownVms(lab);
  const hostKey = (vm: Vm) => readFileSync(join(vm.folder, "host_key.pub"), "utf8").split(" ").slice(0, 2).join(" ");
  replaceFile(join(ssh, "known_hosts"), vms.map((vm) => `${addressesOf(lab, vm).join(",")} ${hostKey(vm)}\n`).join(""));
  const config = [
    ...vms.flatMap((vm) => [`Host ${vm.name}`, `  HostName ${vm.address}`]),
    "Host *",
    `  User ${vmUser.name}`,
    `  IdentityFile ${join(ssh, "id_ed25519")}`,
    "  IdentitiesOnly yes",
    `  UserKnownHostsFile ${join(ssh, "known_hosts")}`,
    "  GlobalKnownHostsFile none",
    "  StrictHostKeyChecking yes",
    "  ConnectTimeout 3",
  ];
  replaceFile(join(ssh, "config"), `${config.join("\n")}\n`);
}

const addressesOf = (lab: Lab, { address, elsewhere, ipv6 }: Vm) => [
  ...[address, elsewhere],
  ...(isDual(lab) ? [ipv6] : []),
];

/** Starts a VM, unless it runs, and waits until it answers: sshd, and its application. */
export async function startVm(lab: Lab, name: string): Promise<void> {
  if (!leaderOf(lab, name)) {
    await endMachine(lab, name);
    const vm = vmByName(lab, name);
    makeDisk(lab, vm);
    // bash reads a script while it runs: the checkout's may change meanwhile.
    const boot = join(vm.folder, "boot.sh");
    copyFileSync(join(labFolder, "vm", "boot.sh"), boot);
    launch(lab, name, ["unshare", "--mount", "--propagation", "slave", boot], {
      VM: vm.folder,
      ROOT: readlinkSync(join(lab.state, "uses", name)),
      MACHINE: `${lab.name}-${name}`,
      NAME: name,
    });
  }
  await waitUntilReady(lab, name);
}

/** Ends a VM as if its plug were pulled; its disk stays. */
export const stopVm = (lab: Lab, name: string) => endMachine(lab, name);

/** Gives a VM a fresh disk, with the same host key and address, and boots it. */
export async function resetVm(lab: Lab, name: string): Promise<void> {
  await stopVm(lab, name);
  const disk = join(vmByName(lab, name).folder, "upper");
  // Renamed first: half a disk must never be booted.
  const discarded = `${disk}.discarded`;
  rmSync(discarded, { recursive: true, force: true });
  if (existsSync(disk)) renameSync(disk, discarded);
  rmSync(discarded, { recursive: true, force: true });
  await prepareVms(lab, [name]);
  await startVm(lab, name);
}

/** Reboots a VM from inside, in order. */
export async function rebootVm(lab: Lab, name: string): Promise<void> {
  const before = leaderOf(lab, name);
  await vmExec(lab, name, ["systemctl", "reboot"]);
  await until(`${name} to boot again`, 60, () => {
    const leader = leaderOf(lab, name);
    return leader !== undefined && leader !== before;
  });
  await waitUntilReady(lab, name);
}

/**
 * Runs a command in a VM as root, without SSH.
 * @returns what it wrote to stdout
 * @throws if the VM does not run, or the command fails
 */
export function vmExec(lab: Lab, name: string, argv: string[]): Promise<string> {
  const leader = leaderOf(lab, name);
  if (!leader) throw new Error(`${name} does not run: start it with \`npx tsx lab/main.ts up\``);
  const enter = ["nsenter", `--target=${leader}`, "--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd"];
  return run([...enter, "--", ...argv]);
}

async function waitUntilReady(lab: Lab, name: string): Promise<void> {
  const inLab = ["nsenter", `--net=${lab.netnsFile}`];
  const ask = ["curl", "--silent", "--fail", "--output", "/dev/null", "http://127.0.0.1:8080/"];
  const ssh = ["ssh", "-F", join(lab.state, "ssh", "config"), "-o", "BatchMode=yes", name, ...ask];
  await until(
    `${name} to answer on SSH and its application on 8080`,
    60,
    () => succeeds([...inLab, ...ssh], { timeout: 10 }),
    () => new Log(logOf(lab, name)).tail(),
  );
}

/** The application, listening by both families. */
const appOfBoth =
  `/usr/bin/python3 -c "import runpy, socket; from http.server import HTTPServer; ` +
  `HTTPServer.address_family = socket.AF_INET6; runpy.run_path('/usr/local/bin/app')"`;

/** Writes a file that others may be reading. */
function replaceFile(path: string, text: string): void {
  const unfinished = `${path}.${process.pid}`;
  writeFileSync(unfinished, text);
  renameSync(unfinished, path);
}

async function makeKey(file: string, comment: string): Promise<void> {
  if (existsSync(file)) return;
  const unfinished = `${file}.unfinished`;
  rmSync(unfinished, { force: true });
  await run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", unfinished]);
  renameSync(`${unfinished}.pub`, `${file}.pub`);
  renameSync(unfinished, file);
}

/**
 * Makes the writable layer of a VM's disk, unless it is there: what tells this VM from others. The layer below is the
 * Debian root of the time when the disk was made.
 */
function makeDisk(lab: Lab, vm: Vm): void {
  folder(vm.folder, "root");
  folder(vm.folder, "work");
  const upper = join(vm.folder, "upper");
  if (existsSync(upper)) return;
  const unfinished = `${upper}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  const write = (path: string, text: string, mode = 0o644) => {
    writeFileSync(join(folder(unfinished, dirname(path)), basename(path)), text, { mode });
  };
  const copy = (path: string, from: string, mode: number) => write(path, readFileSync(from, "utf8"), mode);
  write("etc/hostname", `${vm.name}\n`);
  write("etc/hosts", `127.0.0.1 localhost\n${vm.address} ${vm.name}\n`);
  // The cluster's DNS; where it can't be reached, a name fails in a second.
  write("etc/resolv.conf", "nameserver 10.96.0.10\noptions timeout:1 attempts:1\n");
  write(
    "etc/systemd/network/10-host0.network",
    `[Match]\nName=host0\n[Network]\nAddress=${vm.address}/24\nGateway=${node.address}\n`,
  );
  if (isDual(lab)) {
    write(
      "etc/systemd/network/10-host0.network.d/dual.conf",
      `[Network]\nAddress=${vm.ipv6}/${ipv6.prefix}\nGateway=${ipv6.node}\nIPv6AcceptRA=no\nIPv6DuplicateAddressDetection=0\n`,
    );
    write(
      "etc/hosts",
      `127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n${vm.address} ${vm.name}\n${vm.ipv6} ${vm.name}\n`,
    );
    write("etc/resolv.conf", `nameserver 10.96.0.10\nnameserver ${ipv6.dns}\noptions timeout:1 attempts:1\n`);
    write("etc/systemd/system/app.service.d/dual.conf", `[Service]\nExecStart=\nExecStart=${appOfBoth}\n`);
  }
  copy("etc/machine-id", join(vm.folder, "machine-id"), 0o444);
  copy("etc/ssh/ssh_host_ed25519_key", join(vm.folder, "host_key"), 0o600);
  copy("etc/ssh/ssh_host_ed25519_key.pub", join(vm.folder, "host_key.pub"), 0o644);
  copy("home/admin/.ssh/authorized_keys", join(lab.state, "ssh", "id_ed25519.pub"), 0o600);
  for (const path of ["home/admin", "home/admin/.ssh", "home/admin/.ssh/authorized_keys"]) {
    chownSync(join(unfinished, path), vmUser.id, vmUser.id);
  }
  chmodSync(join(unfinished, "home/admin/.ssh"), 0o700);
  use(lab.state, vm.name, vm.name === rpmVm ? rpmRoot : vmRoot);
  renameSync(unfinished, upper);
}
