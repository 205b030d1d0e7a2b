/** What a VM looks like from outside of it: files, accounts, units, packet filter, sysctls, processes. */
import { createHash } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, readlinkSync, type BigIntStats } from "node:fs";
import { leaderOf } from "../../lab/cgroups";
import type { Lab } from "../../lab/paths";
import { run } from "../../lab/run";
import { vmExec } from "../../lab/vm";
import type { Snapshot } from "./snapshot";

/** Parts of the file system that are not compared, each with the reason. */
const IGNORED: [path: RegExp, reason: string][] = [
  [/^\/(proc|sys|dev)$/, "the kernel's own; what matters of it is compared as sysctls and processes"],
  [/^\/run\/xtables\.lock$/, "iptables' own lock, made by its first use"],
  [/^\/var\/log$/, "logs tell what happened, and stay"],
  [
    /^\/run\/(log|systemd|udev|dbus|user|utmp|sudo|sshd\.pid|motd.*|agetty\.reload)$/,
    "what systemd, sshd, sudo and agetty note of the running system: agetty perhaps late after the boot",
  ],
  [/^\/var\/(lib|cache)\/apt$/, "apt's caches"],
  [/^\/var\/cache\/debconf$/, "debconf's cache"],
  [/^\/var\/lib\/systemd$/, "systemd's random seed and timer stamps"],
  [/^\/var\/(lib|cache)\/(rpm|dnf)$/, "rpm's database, of which its packages are compared; dnf's history"],
  [/^\/var\/lib\/dpkg\/(lock.*|.*-old|triggers\/Lock)$/, "dpkg's locks and backups of its own files"],
];

/** Files that are written anew with the same content by their owner: their times are not compared. */
const REWRITTEN = /^\/var\/lib\/dpkg\//;

/** Sysctls that change by themselves. */
const VOLATILE_SYSCTL =
  /^(fs\.(dentry-state|inode-.*|file-nr|aio-nr|quota\..*)|kernel\.(random\..*|ns_last_pid|pty\.nr)|.*_count) /;

/** Units that fail where many systemd machines share a kernel's inotify instances, and units of whoever logs in. */
const VOLATILE_UNIT = /^(systemd-ask-password-|session-|user@|user-)/;

/** Processes that come and go with whoever looks, logs in, or asks systemd something. */
const TRANSIENT_PROCESS = /^\S+ (ps|sshd|\(sd-pam\)|systemd-(hostnam|timedat|localed|tmpfile).*|agetty)$/;

/** Takes a snapshot of a running VM. It writes nothing there. */
export async function snapshotVm(lab: Lab, name: string): Promise<Snapshot> {
  const leader = leaderOf(lab, name);
  if (leader === undefined) throw new Error(`${name} does not run`);
  const snapshot: Snapshot = new Map();
  addFiles(snapshot, `/proc/${leader}/root`, "/");
  const add = (kind: string, text: string) => {
    for (const line of text.split("\n").filter(Boolean)) snapshot.set(`${kind} ${line}`, "there");
  };
  const ask = (...argv: string[]) => vmExec(lab, name, argv);
  add("user", await ask("getent", "passwd"));
  add("group", await ask("getent", "group"));
  add(
    "package",
    await ask("sh", "-c", "! command -v rpm >/dev/null || rpm -qa --queryformat '%{NEVRA} %{INSTALLTIME}\\n'"),
  );
  add("unit file", columns(await ask("systemctl", "list-unit-files", "--no-legend", "--no-pager"), 0, 1));
  const units = await ask("systemctl", "list-units", "--state=active,failed", "--plain", "--no-legend");
  add("unit", without(VOLATILE_UNIT, columns(units, 0, 2, 3)));
  add("sysctl", without(VOLATILE_SYSCTL, await ask("sh", "-c", "sysctl -a 2>/dev/null")));
  add("process", without(TRANSIENT_PROCESS, columns(await ask("ps", "-e", "-o", "user=,comm="), 0, 1)));
  add("rule", await ask("sh", "-c", SAVE_RULES));
  // By this computer's nft, in the VM's network: the VM need not have one.
  add("nft", numbered(await run(["nsenter", `--net=/proc/${leader}/ns/net`, "nft", "--stateless", "list", "ruleset"])));
  return snapshot;
}

/**
 * Every kind of iptables. The legacy tools make a table by looking at it: only if the kernel has tables already. One that
 * is empty stays until the next boot, and is nothing.
 */
const SAVE_RULES = `
rules() { $1 | sed "/^#/d; s/ \\[[0-9:]*\\]$//; s/^/$1 /"; }
rules iptables-nft-save; rules ip6tables-nft-save
legacy() { rules $1 | awk '$2 ~ /^[*]/ { table = $2 } $2 == "-A" || $3 ~ /^(-|DROP)$/ { print table, $0 }'; }
! grep -qs . /proc/net/ip_tables_names || legacy iptables-legacy-save
! grep -qs . /proc/net/ip6_tables_names || legacy ip6tables-legacy-save`;

const columns = (text: string, ...wanted: number[]) =>
  text
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .map((words) =>
      wanted
        .map((column) => words[column] ?? "")
        .join(" ")
        .trim(),
    )
    .join("\n");

const without = (pattern: RegExp, text: string) =>
  text
    .split("\n")
    .filter((line) => !pattern.test(line))
    .join("\n");

/** Lines whose order and number count. */
const numbered = (text: string) =>
  text
    .split("\n")
    .map((line, number) => `${number} ${line}`)
    .join("\n")
    .replace(/^0 $/, "");

/** The random end of the name of a unit's own /tmp, another at each start. */
const PRIVATE = /(\/systemd-private-\w+-[^/]+\.service)-\w+/;

function addFiles(snapshot: Snapshot, root: string, path: string): void {
  if (IGNORED.some(([pattern]) => pattern.test(path))) return;
  const name = path.replace(PRIVATE, "$1");
  const stat = lstatSync(root + path, { bigint: true, throwIfNoEntry: false });
  if (!stat) return; // gone since its folder was read
  const common = `${(Number(stat.mode) & 0o7777).toString(8)} ${stat.uid}:${stat.gid}`;
  if (stat.isDirectory()) {
    snapshot.set(name, `folder ${common}`);
    for (const entry of readdirSync(root + path)) addFiles(snapshot, root, `${path === "/" ? "" : path}/${entry}`);
  } else if (stat.isSymbolicLink()) {
    snapshot.set(name, `link to ${readlinkSync(root + path)} ${stat.uid}:${stat.gid}`);
  } else if (stat.isFile()) {
    const time = REWRITTEN.test(path) ? "" : ` ${new Date(Number(stat.mtimeMs)).toISOString()}`;
    snapshot.set(name, `file ${common} ${stat.size} ${digest(root + path, stat)}${time}`);
  } else {
    snapshot.set(name, `special file ${common} type ${(Number(stat.mode) & 0o170000).toString(8)} ${stat.rdev}`);
  }
}

// A file's content can't change without its ctime, which nobody can set: unchanged files are read once.
const digests = new Map<string, string>();

function digest(file: string, { ino, ctimeNs, size }: BigIntStats): string {
  const key = `${file} ${ino} ${ctimeNs} ${size}`;
  const known = digests.get(key) ?? createHash("sha256").update(readFileSync(file)).digest("hex");
  digests.set(key, known);
  return known;
}
