/** The mesh that the hosts join: brought up once, by the program itself. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { assertInsideLab } from "../../lab/exec";
import { labByName, labFolder, rpmUrl, rpmVm, vmByName } from "../../lab/paths";
import { labConfig, TestStack } from "../support/testStack";
import { commandsOf, type HostCommands } from "./commands";
import { Host } from "./host";

const NAMES = ["vm1", "vm2", "vm3", rpmVm] as const;
export type HostName = (typeof NAMES)[number];

export class Mesh {
  readonly lab = labByName();
  private stack?: TestStack;
  private hosts = new Map<string, Host>();

  /**
   * Brings up the control plane with all machines as hosts, and takes these out of the mesh again. With
   * ISTIO_VM_KEEP_MESH=1 the mesh stays after the tests and is found by the next run: for whoever writes tests.
   */
  async begin(): Promise<void> {
    assertInsideLab();
    const kept = join(this.lab.state, "host-tests.json");
    let commands: Record<string, HostCommands>;
    if (process.env.ISTIO_VM_KEEP_MESH && existsSync(kept)) {
      commands = JSON.parse(readFileSync(kept, "utf8")) as typeof commands;
    } else {
      commands = await this.bringUp();
      writeFileSync(kept, JSON.stringify(commands), { mode: 0o600 });
    }
    for (const name of NAMES) this.hosts.set(name, new Host(this.lab, name, commands[name]!));
  }

  async end(): Promise<void> {
    if (process.env.ISTIO_VM_KEEP_MESH || !this.stack) return;
    await this.stack.succeed(["destroy", "--yes", "--skip-preview"]);
    this.stack.remove();
  }

  host(name: HostName): Host {
    const host = this.hosts.get(name);
    if (!host) throw new Error("the mesh is not up yet");
    return host;
  }

  private async bringUp(): Promise<Record<string, HostCommands>> {
    const stack = (this.stack = new TestStack());
    const config = labConfig();
    const hosts = NAMES.map((name) => {
      const { address } = vmByName(this.lab, name);
      return { name, address, namespace: "vm", inboundPorts: [8080], labels: { app: "vmhttp" } };
    });
    const [, sha256] = /^(\w+) {2}istio-sidecar\.rpm$/m.exec(
      readFileSync(join(labFolder, "sidecar-rpm.sha256"), "utf8"),
    )!;
    const sidecar = { deb: { amd64: config.sidecar as object }, rpm: { amd64: { url: rpmUrl, sha256 } } };
    await stack.init({ ...config, sidecar, hosts });
    await stack.succeed(["up", "--yes", "--skip-preview"]);
    const { stdout } = await stack.succeed(["stack", "export", "--show-secrets"]);
    return Object.fromEntries(NAMES.map((name) => [name, commandsOf(stdout, name)]));
  }
}
