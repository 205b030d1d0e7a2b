/** A machine of the lab as the program sees it: by SSH, with the program's own commands. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { execa, type ExecaChildProcess } from "execa";
import { accompany } from "../../ssh/accompany";
import { bundleScript, hostScripts, joinScript, renderFiles } from "../../ssh/bundle";
import { remoteCommand } from "../../ssh/commands";
import { leaderOf } from "../../lab/cgroups";
import { bridge, vmByName, type Lab } from "../../lab/paths";
import { succeeds, until } from "../../lab/run";
import { rebootVm, resetVm, vmExec } from "../../lab/vm";
import { installDebs } from "../support/debs";
import type { Snapshot } from "../support/snapshot";
import { snapshotVm } from "../support/vmSnapshot";
import type { HostCommands } from "./commands";
import { type PackageTools, packageToolsOf } from "./packages";

const INSTALLED = "/var/lib/istio-vm/bin/istio-vm";

/** Parts of a snapshot that are not compared, each with the reason; more are in test/support/vmSnapshot.ts. */
const IGNORED: [thing: RegExp, reason: string][] = [
  [/^\/run\/xtables\.lock$/, "the lock of every legacy iptables: others may hold it"],
  [/^\/run\/agetty\.reload$/, "a sign from systemd to the login prompts"],
  [/^\/home\/[^/]+\/\.sudo_as_admin_successful$/, "sudo's own sign that a person has used it"],
  [/^unit systemd-ask-password-/, "fails where inotify instances are scarce, as on a computer with several labs"],
  [/^sysctl fs\.quota\.syncs /, "a counter of the whole computer"],
  [/^\/var\/lib\/dpkg\/tmp\.ci/, "of a dpkg that was killed: the next one removes it"],
  [/^\/run\/host\//, "what systemd-nspawn tells a machine that boots"],
  [/^(\/var)?\/tmp\/systemd-private-/, "temporary folders of running units, named anew at each boot"],
  [/^rule .*# (Generated|Completed) /, "the time of day"],
];

/** How a command on a host ended. */
export interface Outcome {
  exitCode: number;
  /** stdout and stderr. */
  output: string;
  seconds: number;
}

/** A command on a host that may still run. */
export interface Session {
  /** The ssh client. */
  client: ExecaChildProcess;
  done: Promise<Outcome>;
}

/** A join that may still run. */
export interface JoinSession extends Session {
  /** Nobody is there for it any more, to which the loss of its own connection does not lead. */
  stopConfirming: () => void;
}

/** How a join differs from the program's own. */
export interface JoinOptions {
  /** Default: the stack's. */
  state?: string;
  /** What is brought to it, as text. Default: the scripts, the stack's certificates and key. */
  bundle?: string;
  /** Whether the program is there, which confirms the change. Default: true. */
  confirm?: boolean;
  /** A package that the program sends. Default: the host fetches it. */
  package?: { file: string; sha256: string };
}

export class Host {
  readonly address: string;
  readonly packages: PackageTools;

  constructor(
    readonly lab: Lab,
    readonly name: string,
    readonly commands: HostCommands,
  ) {
    this.address = vmByName(lab, name).address;
    this.packages = packageToolsOf(name);
  }

  /** Where the lab has the package for this host, or its later version (lab/recipes/sidecar.ts). */
  packageUrl(later = ""): string {
    return `http://${bridge.address}:8000/istio-sidecar${later}.${this.packages.format}`;
  }

  /** The stack's state with another package for this host. */
  stateWithPackage(sha256: string, source: string): string {
    const { format } = this.packages;
    const line = new RegExp(`^package ${format} .*$`, "m");
    assert.match(this.commands.state, line);
    return this.commands.state.replace(line, `package ${format} amd64 ${sha256} ${source}`);
  }

  /** The stack's state with the package's later version. */
  async stateWithLaterPackage(): Promise<string> {
    const url = this.packageUrl("-2");
    const digest = (await this.sh(`curl -sSf ${url} | sha256sum | cut -d ' ' -f 1`)).trim();
    return this.stateWithPackage(digest, url);
  }

  /** Runs a command over SSH as the stack's user. */
  ssh(command: string, stdin = "", user = "admin"): Session {
    const begun = Date.now();
    const options = ["-o", "BatchMode=yes", "-o", "ServerAliveInterval=2", "-o", "ServerAliveCountMax=3", "-l", user];
    const client = execa("ssh", [...options, this.name, command], { input: stdin, all: true, reject: false });
    const done = client.then(({ exitCode, all }) => ({
      exitCode: exitCode ?? -1,
      output: all ?? "",
      seconds: (Date.now() - begun) / 1000,
    }));
    return { client, done };
  }

  /** What the program brings to a join (ssh/bundle.ts), as text. */
  get bundle(): string {
    return this.bundleWith(this.commands.certificates);
  }

  /** The same with other files than the stack's certificates and key. */
  bundleWith(files: Record<string, string>): string {
    return renderFiles({ ...hostScripts(), ...files, epoch: `${Math.floor(Date.now() / 1000)}` });
  }

  /** Begins a join as the program does: it brings what the join needs, and is there for it. */
  async startJoin(options: JoinOptions = {}) {
    const { state = this.commands.state, bundle = this.bundle, confirm = true } = options;
    const stop = new AbortController();
    const { format } = this.packages;
    const sent = options.package && [{ ...options.package, format, architecture: "amd64" as const }];
    const baggage = { state, files: bundle, packages: sent };
    if (confirm) await accompany(this.commands.connection, baggage, { stop: [stop.signal] });
    const session: JoinSession = {
      ...this.ssh(remoteCommand("join"), confirm ? joinScript(state) : bundleScript(bundle, state)),
      stopConfirming: () => stop.abort(),
    };
    return session;
  }

  /** Joins, whatever comes of it. */
  async join(options?: JoinOptions): Promise<Outcome> {
    const { done, stopConfirming } = await this.startJoin(options);
    return done.finally(stopConfirming);
  }

  /** Joins, and sees to it that the host then is in the mesh. @throws with what was said, if not */
  async mustJoin(options?: JoinOptions): Promise<Outcome> {
    const outcome = await this.join(options);
    mustSucceed(outcome, `${this.name}: join`);
    mustSucceed(await this.status(), `${this.name}: status after join`);
    return outcome;
  }

  leave(): Promise<Outcome> {
    return this.ssh(this.commands.leave, this.commands.script).done;
  }

  async mustLeave(): Promise<Outcome> {
    return mustSucceed(await this.leave(), `${this.name}: leave`);
  }

  status(): Promise<Outcome> {
    return this.ssh(`sudo ${INSTALLED} status`).done;
  }

  /** Runs a command as root, without SSH. @throws if it fails */
  exec(...argv: string[]): Promise<string> {
    return vmExec(this.lab, this.name, argv);
  }

  /** Runs a shell script as root, without SSH. @throws if it fails */
  sh(script: string): Promise<string> {
    return this.exec("sh", "-euc", script);
  }

  /** All rules of iptables, of any kind and version. */
  rules(): Promise<string> {
    return this.sh("for tool in iptables ip6tables; do $tool-nft-save; $tool-legacy-save; done 2>/dev/null");
  }

  /** What it looks like, but for what comes and goes by itself. */
  async snapshot(): Promise<Snapshot> {
    const all = await snapshotVm(this.lab, this.name);
    return new Map([...all].filter(([thing]) => !IGNORED.some(([pattern]) => pattern.test(thing))));
  }

  /** Where the host's file system is on this computer. */
  get root(): string {
    return `/proc/${leaderOf(this.lab, this.name)}/root`;
  }

  /** Waits until none of the program's scripts is at work. */
  async untilIdle(): Promise<void> {
    // Not by its name: flock would make what is not there.
    const lock = `${this.root}/run/istio-vm`;
    const idle = () => !existsSync(lock) || succeeds(["sh", "-c", 'exec 9<"$0"; flock -n 9', lock]);
    await until(`the scripts on ${this.name} to end`, 200, async () => idle());
  }

  /** Waits until one can log in. */
  async untilReachable(seconds: number): Promise<void> {
    await until(`${this.name} to be reachable`, seconds, async () => (await this.ssh("true").done).exitCode === 0);
  }

  /** Installs a Debian package that the lab has for tests. */
  installDebs(name: string): Promise<void> {
    return installDebs(this.lab, this.name, name);
  }

  reset(): Promise<void> {
    return resetVm(this.lab, this.name);
  }

  reboot(): Promise<void> {
    return rebootVm(this.lab, this.name);
  }
}

/** @throws with what was said, unless the command succeeded */
export function mustSucceed(outcome: Outcome, what: string): Outcome {
  if (outcome.exitCode === 0) return outcome;
  throw new Error(`${what} ended with status ${outcome.exitCode}:\n${outcome.output}`);
}
