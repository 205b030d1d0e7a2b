/** The scripts of a host, run here: a copy in which whatever would touch the machine is replaced. */
import assert from "node:assert/strict";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
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
write_files() { :; }
start() { say start ok; }
undo() { say leave done; }
commit() { :; }
package_version() { echo 1; }`;

export class Scripts {
  constructor(readonly folder: string) {}

  /** Where a host has its state. */
  get home(): string {
    return join(this.folder, "home");
  }

  /** Starts `istio-vm` with these arguments. Its input stays open. */
  start(...args: string[]): ExecaChildProcess {
    return execa("sh", [join(this.folder, "istio-vm"), ...args], { stdin: "pipe", reject: false });
  }

  /** Starts a session that attends a join, with the lock that the bundle takes. It stays until its input ends. */
  attend(digest: string): ExecaChildProcess {
    const command = ["sh", join(this.folder, "istio-vm"), "attend", digest];
    return execa("flock", [this.folder, ...command], { stdin: "pipe", reject: false });
  }
}

/**
 * Gives `use` the scripts.
 *
 * @param replaced functions in place of the scripts' own, as shell text
 * @param times values of the scripts' variables of that name
 */
export function withScripts<T>(replaced: string, times: Record<string, number>, use: (scripts: Scripts) => Promise<T>) {
  return withDirectory(async (folder) => {
    cpSync(SOURCES, folder, { recursive: true });
    const scripts = new Scripts(folder);
    mkdirSync(scripts.home);
    const set = (file: string, name: string, value: string | number) => {
      const path = join(folder, file);
      const text = readFileSync(path, "utf8");
      const line = new RegExp(`^${name}=.*$`, "m");
      assert.match(text, line);
      writeFileSync(path, text.replace(line, `${name}=${value}`));
    };
    set("lib.sh", "HOME_DIR", scripts.home);
    set("lib.sh", "CONFIRMED", join(folder, "confirmed"));
    for (const [name, seconds] of Object.entries(times)) set("commit.sh", name, seconds);
    // It is read last.
    writeFileSync(join(folder, "inspect.sh"), `${HARMLESS}\n${replaced}\n`);
    return use(scripts);
  });
}
