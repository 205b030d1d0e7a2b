/** What the tests of a stack's life share: they run in order, on the same stack and machines. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assertInsideLab } from "../../lab/exec";
import { labByName, vmByName, type Lab } from "../../lab/paths";
import { resetVm, vmExec } from "../../lab/vm";
import { snapshotCluster } from "../support/clusterSnapshot";
import { privateKeysOf } from "../support/privateKeys";
import type { Snapshot } from "../support/snapshot";
import { labConfig, TestStack, type StackConfig } from "../support/testStack";
import { snapshotVm } from "../support/vmSnapshot";
import { kubectl } from "./mesh";

/** A user of vm2 who logs in with the lab's key, and may not use sudo. */
export const POWERLESS = "powerless";

export class Story {
  readonly lab: Lab;
  readonly stack = new TestStack();
  /** For files that tests make. */
  readonly folder = mkdtempSync(join(tmpdir(), "istio-vm-story-"));
  /** The configuration that the stack was brought to. */
  config: StackConfig = labConfig();
  /** What cluster and machines looked like before anything. */
  readonly before = { cluster: new Map() as Snapshot, vm1: new Map() as Snapshot, vm2: new Map() as Snapshot };
  /** Arguments of all processes that ran during `pulumi up`. */
  readonly arguments = new Set<string>();
  /** Every private key that a stack of this story has had. */
  readonly keys = new Set<string>();
  protected hasBegun = false;
  private isUp = false;

  constructor() {
    assertInsideLab();
    this.lab = labByName();
  }

  /** Fresh machines, a cluster without Istio, an empty stack. */
  async begin(): Promise<void> {
    if ((await kubectl("get", "namespace", "istio-system", "--ignore-not-found")) !== "") {
      throw new Error(`an earlier run left Istio in the cluster: LAB_NAME=${this.lab.name} npx tsx lab/main.ts clean`);
    }
    await Promise.all([resetVm(this.lab, "vm1"), resetVm(this.lab, "vm2")]);
    const addUser = `useradd --create-home ${POWERLESS} && cp -r ~admin/.ssh ~${POWERLESS}/ && chown -R ${POWERLESS}: ~${POWERLESS}`;
    await this.inVm("vm2", "bash", "-c", addUser);
    // sudo leaves a file in the home folder of a user who may use it and does so for the first time.
    for (const name of ["vm1", "vm2"]) await this.inVm(name, "runuser", "--user=admin", "sudo", "true");
    this.before.cluster = await snapshotCluster();
    this.before.vm1 = await snapshotVm(this.lab, "vm1");
    this.before.vm2 = await snapshotVm(this.lab, "vm2");
    await this.stack.init(this.config);
    this.hasBegun = true;
  }

  /** Gives everything back, as far as tests that failed have not. */
  async end(): Promise<void> {
    if (this.hasBegun) await this.stack.succeed(["destroy", "--yes", "--skip-preview"]);
    this.stack.remove();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Changes the stack's configuration for good, and brings the stack there. */
  async bring(config: StackConfig, ...options: string[]): Promise<void> {
    this.stack.configure(config);
    this.config = config;
    await this.stack.succeed(["up", "--yes", "--skip-preview", ...options], { PULUMI_DEBUG_COMMANDS: "1" });
    this.isUp = true;
    await this.noteKeys(this.stack);
  }

  /** @throws unless the stack has been brought up: what comes later would only wait in vain */
  assertUp(): void {
    assert.ok(this.isUp, "the first up failed");
  }

  /** Remembers the private keys in a stack's state, to look for them later. */
  async noteKeys(stack: TestStack): Promise<void> {
    const { stdout } = await stack.succeed(["stack", "export", "--show-secrets"]);
    for (const key of privateKeysOf(stdout)) this.keys.add(key);
  }

  inVm(name: string, ...argv: string[]): Promise<string> {
    return vmExec(this.lab, name, argv);
  }

  /** A host of the stack's configuration for one of the lab's machines. */
  host(name: string, more: StackConfig = {}): StackConfig {
    const { address } = vmByName(this.lab, name);
    return { name, address, namespace: "vm", inboundPorts: [8080], labels: { app: "vmhttp" }, ...more };
  }

  /** The public host key of a machine. */
  hostKey(name: string): string {
    return readFileSync(join(vmByName(this.lab, name).folder, "host_key.pub"), "utf8")
      .split(" ")
      .slice(0, 2)
      .join(" ");
  }

  /** Changes whenever the sidecar is started. */
  sidecarRun(name: string): Promise<string> {
    return this.inVm(name, "systemctl", "show", "--property=InvocationID,ActiveState", "istio.service");
  }

  /** An executable of that name in a folder of its own. Returns a PATH on which it comes first. */
  fakeCommand(name: string, script: string): string {
    const bin = mkdtempSync(join(this.folder, "bin-"));
    writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    return `${bin}:${process.env.PATH}`;
  }
}
