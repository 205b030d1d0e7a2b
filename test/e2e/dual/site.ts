/** A stack with two hosts whose addresses are IPv6: vm1 has IPv4 as well, vm2 has not. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { execa } from "execa";
import { artifactPath } from "../../../lab/artifacts";
import { assertInsideLab } from "../../../lab/exec";
import { ipv6, labByName, vmByName } from "../../../lab/paths";
import { sidecar } from "../../../lab/recipes/sidecar";
import { until } from "../../../lab/run";
import { resetVm, vmExec } from "../../../lab/vm";
import { snapshotCluster } from "../../support/clusterSnapshot";
import { ask, clientIn, type Echo, echoInPod, endEcho, echoOnVm, type Place, PORTS } from "../../support/echo";
import type { Snapshot } from "../../support/snapshot";
import { labConfig, operatorSpecOf, type StackConfig, TestStack, withOperatorSpec } from "../../support/testStack";
import { snapshotVm } from "../../support/vmSnapshot";
import { kubectl } from "../mesh";

export const HOSTS = ["vm1", "vm2"] as const;
export type Host = (typeof HOSTS)[number];
/** It runs echo, and its Service has an address of each family. */
export const POD = "pod";

/** As istio.io/docs/setup/additional-setup/dual-stack has it. */
function dualConfig(): StackConfig {
  const { values, ...spec } = operatorSpecOf(labConfig()) as { values: { pilot: { env: object } } };
  const both = { ISTIO_DUAL_STACK: "true" };
  return withOperatorSpec(labConfig(), {
    ...spec,
    meshConfig: { defaultConfig: { proxyMetadata: both } },
    values: { ...values, pilot: { env: { ...values.pilot.env, ...both } } },
  });
}

export class DualSite {
  readonly lab = labByName();
  readonly stack = new TestStack();
  /** What cluster and machines looked like before anything. */
  readonly before = new Map<string, Snapshot>();
  private pod?: Place;

  async begin(): Promise<void> {
    assertInsideLab();
    for (const host of HOSTS) await resetVm(this.lab, host);
    await this.sh("vm2", `ip -4 address flush dev host0; echo nameserver ${ipv6.dns} >/etc/resolv.conf`);
    for (const host of HOSTS) {
      await echoOnVm(this.lab, host);
      await this.sh(host, "runuser --user=admin sudo true"); // it leaves a file, the first time
      this.before.set(host, await snapshotVm(this.lab, host));
    }
    this.before.set("cluster", await snapshotCluster());
    await this.stack.init(dualConfig());
  }

  async end(): Promise<void> {
    await endEcho(POD);
    await this.stack.succeed(["destroy", "--yes", "--skip-preview"]);
    this.stack.remove();
    for (const host of HOSTS) await resetVm(this.lab, host);
  }

  configure(nodeAddresses: string[]): void {
    const config = dualConfig();
    const { sha256 } = config.sidecar as { sha256: string };
    this.stack.configure({
      ...config,
      exposure: { type: "NodePort", nodeAddresses },
      hosts: HOSTS.map((name) => ({
        ...{ name, address: vmByName(this.lab, name).ipv6, namespace: "vm", dns: true },
        inboundPorts: [8080, PORTS.tcp],
        // The lab's package server has an IPv4 address alone.
        ...(name === "vm2" ? { sidecar: { file: join(artifactPath(sidecar), "istio-sidecar.deb"), sha256 } } : {}),
      })),
      services: HOSTS.map((name) => ({
        ...{ name: `of-${name}`, namespace: "vm", hosts: [name] },
        ports: [{ port: 8080 }, { port: PORTS.tcp, protocol: "TCP" }],
      })),
    });
  }

  async startPod(): Promise<void> {
    this.pod = await echoInPod(this.lab, POD, "default", { dualStack: true });
  }

  /** Asks from the pod, by TCP. */
  askByTcp(address: string): Promise<Echo> {
    assert.ok(this.pod);
    return ask(this.pod, `tcp://${address}:${PORTS.tcp}`);
  }

  sh(host: Host, script: string): Promise<string> {
    return vmExec(this.lab, host, ["sh", "-euc", script]);
  }

  /** What the stack says of a host. */
  async output(host: Host) {
    const { stdout } = await this.stack.succeed(["stack", "output", "meshHosts", "--json"]);
    return (JSON.parse(stdout) as Record<string, { istiod: { addresses: string[]; port: number } }>)[host]!;
  }

  /** Runs `npx istio-vm` on the stack. */
  async cli(...args: string[]): Promise<string> {
    const options = { cwd: this.stack.folder, env: this.stack.env, reject: false } as const;
    return (await execa("npx", ["--no-install", "istio-vm", ...args], options)).stdout;
  }

  /** A service's addresses, the IPv4 one first. */
  async clusterIps(service: string, namespace: string): Promise<string[]> {
    const path = "--output=jsonpath={.spec.clusterIPs[*]}";
    return (await kubectl("get", "service", service, `--namespace=${namespace}`, path)).split(" ");
  }

  /** Asks from a host until the pod's answer is as wanted. */
  async untilHostAsks(
    host: Host,
    url: string,
    wanted: (answer: { said: string; client?: string }) => boolean,
    ...flags: string[]
  ): Promise<string> {
    const curl = ["curl", "--silent", "--show-error", "--max-time", "5", ...flags, url];
    let said = "";
    return until(
      `${host} to be answered by ${url}`,
      20,
      async () => {
        said = await vmExec(this.lab, host, curl).catch(({ message }: Error) => message);
        return wanted({ said, client: clientIn(said) }) ? said : undefined;
      },
      () => said,
    );
  }
}
