/** A stack that is up, as the command line finds it: vm1 is joined and serves vmhttp, vm2 is configured but not joined yet. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { gather } from "../../cli/facts";
import { startProgress } from "../../cli/progress";
import { readStack } from "../../cli/stack";
import { assertInsideLab } from "../../lab/exec";
import { checkout, labByName, vmByName } from "../../lab/paths";
import { run } from "../../lab/run";
import { resetVm, vmExec } from "../../lab/vm";
import { evaluate } from "../../diagnosis/checks";
import type { Finding } from "../../diagnosis/checks/check";
import { labConfig, type StackConfig, TestStack } from "../support/testStack";

/** How the command ended. */
export interface Outcome {
  exitCode: number;
  stdout: string;
  stderr: string;
}

export class Site {
  readonly lab = labByName();
  private stack?: TestStack;
  /** What the commands are told: both hosts. */
  config: StackConfig = {};

  /**
   * Brings the stack up with vm1. With ISTIO_VM_KEEP_MESH=1 it stays after the tests and is found by the next run: for
   * whoever writes tests.
   */
  async begin(): Promise<void> {
    assertInsideLab();
    const kept = join(this.lab.state, "cli-tests.json");
    const hosts = ["vm1", "vm2"].map((name) => {
      const { address } = vmByName(this.lab, name);
      return { name, address, namespace: "vm", inboundPorts: [8080], labels: { app: "vmhttp" } };
    });
    const config = labConfig();
    if (process.env.ISTIO_VM_KEEP_MESH && existsSync(kept)) {
      this.stack = new TestStack(undefined, readFileSync(kept, "utf8"));
    } else {
      await Promise.all(["vm1", "vm2"].map((name) => resetVm(this.lab, name)));
      this.stack = new TestStack();
      await this.stack.init({ ...config, hosts: hosts.slice(0, 1) });
      await this.stack.succeed(["up", "--yes", "--skip-preview"]);
      writeFileSync(kept, this.stack.folder);
    }
    this.config = { ...config, hosts };
    this.stack.configure(this.config);
    Object.assign(process.env, this.stack.env);
    process.chdir(this.stack.folder);
  }

  async end(): Promise<void> {
    process.chdir(checkout);
    if (process.env.ISTIO_VM_KEEP_MESH || !this.stack) return;
    await this.stack.succeed(["destroy", "--yes", "--skip-preview"]);
    this.stack.remove();
  }

  configure(config: StackConfig): void {
    this.stack!.configure(config);
  }

  /** Brings the stack to a configuration. */
  async up(config: StackConfig): Promise<void> {
    this.configure(config);
    await this.stack!.succeed(["up", "--yes", "--skip-preview"]);
  }

  /** What doctor finds that is not as it should be. */
  async findings(): Promise<Finding[]> {
    const facts = await gather(await readStack(), startProgress(false));
    return evaluate(facts).filter(({ result }) => result === "error" || result === "warning");
  }

  /** Runs the command as a person does. */
  async cli(args: string[], env: Record<string, string> = {}, input = ""): Promise<Outcome> {
    const { exitCode, stdout, stderr } = await execa("npx", ["--no-install", "istio-vm", ...args], {
      cwd: this.stack!.folder,
      env,
      input,
      reject: false,
      timeout: 60_000,
    });
    // npm may have a word about its own configuration, whatever it runs.
    return { exitCode: exitCode ?? -1, stdout, stderr: stderr.replace(/^npm warn .*\n?/gm, "") };
  }

  /** The public host key of a VM. */
  hostKey(vm: string): string {
    const file = join(vmByName(this.lab, vm).folder, "host_key.pub");
    return readFileSync(file, "utf8").split(" ").slice(0, 2).join(" ");
  }

  /** Runs a shell script as root on a VM, without SSH. */
  sh(vm: string, script: string): Promise<string> {
    return vmExec(this.lab, vm, ["sh", "-euc", script]);
  }

  kubectl(...args: string[]): Promise<string> {
    return run(["kubectl", ...args]);
  }

  apply(object: object): Promise<string> {
    return run(["kubectl", "apply", "--filename=-"], { input: JSON.stringify(object) });
  }
}

/** Something that is broken, and by which codes doctor must tell it. */
export interface Breakage {
  /** Exactly this code, ... */
  code: string;
  /** ... and those that follow by nature ... */
  also?: string[];
  /** ... or may follow, depending on the moment. */
  may?: string[];
  what: string;
  /** What the finding says. */
  says: RegExp;
  /** Breaks it in the configuration ... */
  config?: (config: StackConfig) => StackConfig;
  /** ... or in fact. */
  make?: (site: Site) => Promise<unknown>;
  mend?: (site: Site) => Promise<unknown>;
}
