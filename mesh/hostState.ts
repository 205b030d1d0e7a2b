import { createHash } from "node:crypto";
import { quote } from "./shell";

/** A file that join puts on a host. */
export interface HostFile {
  path: string;
  /** Octal, such as `0600`. */
  mode: string;
  /** What the state tells of the content: a digest, or for a private key the certificate that it belongs to. */
  content: string;
}

/** The state that a host shall have, as the join script reads it: text, one fact a line, nothing secret. */
export interface HostState {
  /** The name of the host in this stack. */
  name: string;
  /** The stack's owner mark. */
  owner: string;
  identity: string;
  /** SHA-256 of the sidecar package, in hex. */
  packageSha256: string;
  /** Where the host gets the package: an http(s) URL, or the path to which it was copied. */
  packageSource: string;
  /** The address of istiod as the host sees it. */
  istiodAddress: string;
  istiodPort: number;
  /** Start and end of the workload certificate's validity. */
  notBefore: Date;
  notAfter: Date;
  hostsEntry: string;
  clusterEnv: string[];
  sidecarEnv: string[];
  files: HostFile[];
  /** Digest of the scripts themselves: a new version of them runs again on every host. */
  scripts: string;
  /** When it was asked for, if it shall be put right even though nothing changed. */
  run?: Date;
}

export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** The state as text. `pulumi preview --diff` shows it line by line, so each fact has a line of its own. */
export function renderState(state: HostState): string {
  const seconds = (date: Date) => Math.floor(date.getTime() / 1000);
  const utc = (date: Date) => date.toISOString().replace(".000", "");
  return [
    `host ${state.name}`,
    `owner ${state.owner}`,
    `identity ${state.identity}`,
    `package ${state.packageSha256} ${state.packageSource}`,
    `istiod ${state.istiodAddress} ${state.istiodPort}`,
    `not-before ${seconds(state.notBefore)} ${utc(state.notBefore)}`,
    `not-after ${seconds(state.notAfter)} ${utc(state.notAfter)}`,
    `hosts ${state.hostsEntry}`,
    ...state.clusterEnv.map((line) => `cluster.env ${line}`),
    ...state.sidecarEnv.map((line) => `sidecar.env ${line}`),
    ...state.files.map(({ path, mode, content }) => `file ${mode} ${path} ${content}`),
    `scripts ${state.scripts}`,
    ...(state.run === undefined ? [] : [`run ${state.run.toISOString()}`]),
  ].join("\n");
}

/**
 * The command that a host's SSH server runs: the bundle on stdin, run by root, told what to do. The SSH connection's
 * own addresses go along, for sudo would drop them and the port in use must never be intercepted.
 */
export function remoteCommand(action: "access" | "join" | "leave" | "inspect", state: string): string {
  return `sudo -n sh -s -- ${action} ${quote(`\n${state}\n`)} "$SSH_CONNECTION"`;
}

/** The first command on a host: can one log in and become root there? If not, it says what is missing. */
export function accessCommand(name: string, user: string): string {
  const hint = `${name}: IVM602 ${user} can't become root: let ${user} run sudo without a password (README, "What it needs on a host")`;
  return `${remoteCommand("access", `host ${name}`)} || sh -c ${quote(`echo ${quote(hint)} >&2; exit 1`)}`;
}

/** The digest by which a fresh SSH session says which state it confirms (host/commit.sh). */
export function stateDigest(state: string): string {
  return sha256(`${state}\n`);
}

/**
 * The command of that fresh session. It succeeds only once the host runs with that state. The host compares its own clock
 * with `now`.
 */
export function confirmCommand(digest: string, now: Date): string {
  return `sudo -n /var/lib/istio-vm/bin/istio-vm confirm ${digest} ${Math.floor(now.getTime() / 1000)}`;
}

/** What a session runs that stays, so that the host knows whether somebody is still there who will confirm. */
export const ATTEND_COMMAND = "sudo -n /var/lib/istio-vm/bin/istio-vm attend";

/**
 * A shell script that unpacks `files` (name -> content) into a fresh directory in memory that only root can read, runs
 * `<directory>/istio-vm <arguments>` there and removes it. It travels on stdin: nothing of it is in a command line.
 */
export function renderBundle(files: Record<string, string>): string {
  const lines = [
    "set -eu",
    "umask 077",
    "dir=$(mktemp -d /run/istio-vm.XXXXXX)",
    `trap 'rm -rf "$dir"' EXIT`,
    "trap '' HUP",
    "trap 'exit 130' INT TERM",
  ];
  for (const [name, content] of Object.entries(files)) {
    if (!/^[\w.-]+$/.test(name)) throw new Error(`"${name}" can't be the name of a file in a bundle`);
    let end = "END_OF_FILE";
    while (content.split("\n").includes(end)) end += "_";
    lines.push(`cat >"$dir/${name}" <<'${end}'`, content.replace(/\n$/, ""), end);
  }
  // Read to the end before the script runs: whatever it starts must not find the rest of the bundle on its stdin.
  return [...lines, `{ sh "$dir/istio-vm" "$@" </dev/null; exit; }`, ""].join("\n");
}
