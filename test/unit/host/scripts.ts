/** The scripts of a host, run here: a copy in which whatever would touch the machine is replaced. */
import assert from "node:assert/strict";
import { cpSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa, type ExecaChildProcess } from "execa";
import { withDirectory } from "../support";

const SOURCES = join(__dirname, "..", "..", "..", "host");

/** What join does on a host, as far as these tests are not about it. */
const HARMLESS = `
lock() { :; }
check() { :; }
record() { :; }
keep_previous() { :; }
install_scripts() { :; }
install_package() { :; }
plan() { RESTART=' files'; }
arm() { :; }
stage_files() { :; }
stop_sidecar() { :; }
write_files() { :; }
verify() { :; }
start() { say start ok; }
undo() { say leave done; }
commit() { :; }
package_version() { echo 1; }`;

export class Scripts {
  /** What was brought. */
  readonly folder: string;
  /** Where a host has its state. */
  readonly home: string;

  constructor(root: string) {
    this.folder = join(root, "bundle");
    this.home = join(root, "home");
  }

  /** Starts `istio-vm` with these arguments. */
  start(...args: string[]): ExecaChildProcess {
    return execa("sh", [join(this.folder, "istio-vm"), ...args], { stdin: "ignore", reject: false });
  }

  /** Starts a join that takes over what was brought, as its own session does (ssh/bundle.ts). */
  takeOver(state: string): ExecaChildProcess {
    renameSync(join(this.folder, "for"), join(this.folder, "taken"));
    const command = ["sh", join(this.folder, "istio-vm"), "join", state];
    return execa("flock", ["--no-fork", join(this.folder, "taken"), ...command], { stdin: "ignore", reject: false });
  }

  /** A session that confirms the change, by a connection from this port of a computer far away. */
  confirm(digest: string, port = 40000): ExecaChildProcess {
    return this.start("confirm", digest, `${Math.floor(Date.now() / 1000)}`, "192.0.2.1", `${port}`, "192.0.2.2", "22");
  }

  /** Starts a session that attends a join, with the lock that the bundle takes. It stays until it is killed. */
  attend(digest: string): ExecaChildProcess {
    const command = ["sh", join(this.folder, "istio-vm"), "attend", digest];
    return execa("flock", ["--no-fork", this.folder, ...command], { stdin: "ignore", reject: false });
  }
}

/**
 * Gives `use` the scripts.
 *
 * @param replaced functions in place of the scripts' own, as shell text
 * @param times values of the scripts' variables of that name
 */
export function withScripts<T>(replaced: string, times: Record<string, number>, use: (scripts: Scripts) => Promise<T>) {
  return withDirectory(async (root) => {
    const scripts = new Scripts(root);
    const { folder } = scripts;
    cpSync(SOURCES, folder, { recursive: true });
    mkdirSync(scripts.home);
    const set = (file: string, name: string, value: string | number) => {
      const path = join(folder, file);
      const text = readFileSync(path, "utf8");
      const line = new RegExp(`^${name}=.*$`, "m");
      assert.match(text, line);
      writeFileSync(path, text.replace(line, `${name}=${value}`));
    };
    set("lib.sh", "HOME_DIR", scripts.home);
    set("lib.sh", "RUN_DIR", root);
    for (const [name, seconds] of Object.entries(times)) set("commit.sh", name, seconds);
    // It is read last.
    writeFileSync(join(folder, "inspect.sh"), `${HARMLESS}\n${replaced}\n`);
    return use(scripts);
  });
}
