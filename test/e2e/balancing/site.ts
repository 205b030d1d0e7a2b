/** A stack with three hosts behind one service, each of which is probed. */
import { labByName, vmByName } from "../../../lab/paths";
import { until } from "../../../lab/run";
import { resetVm, vmExec } from "../../../lab/vm";
import type { Request } from "../../support/traffic";
import { labConfig, type StackConfig, TestStack } from "../../support/testStack";
import { apply, askFromPod, kubectl } from "../mesh";

export const HOSTS = ["vm1", "vm2", "vm3"];
/** Istio's terms; the period is short, for tests have little time. */
const PROBE = { httpGet: { port: 8080 }, periodSeconds: 1, failureThreshold: 2 };

export class Site {
  readonly lab = labByName();
  readonly stack = new TestStack();

  async begin(): Promise<void> {
    await Promise.all(HOSTS.map((name) => resetVm(this.lab, name)));
    await this.stack.init(this.config());
    await this.up();
    await this.untilServing(HOSTS);
  }

  async end(): Promise<void> {
    await this.stack.succeed(["destroy", "--yes", "--skip-preview"]);
    this.stack.remove();
  }

  /** @param more of hosts by their names, and of the service */
  config(more: Record<string, StackConfig> = {}, hosts = HOSTS): StackConfig {
    return {
      ...labConfig(),
      hosts: hosts.map((name) => ({
        ...{ name, namespace: "vm", inboundPorts: [8080, 8081], address: vmByName(this.lab, name).address },
        readinessProbe: PROBE,
        ...more[name],
      })),
      services: [
        { name: "vmhttp", namespace: "vm", hosts, ports: [{ port: 8080 }], ...more.service },
        ...hosts.map((name) => ({ name: `slow-${name}`, namespace: "vm", hosts: [name], ports: [{ port: 8081 }] })),
      ],
    };
  }

  /** @returns what the update said */
  configure(more?: Record<string, StackConfig>, hosts?: string[]): Promise<string> {
    this.stack.configure(this.config(more, hosts));
    return this.up();
  }

  async up(): Promise<string> {
    return (await this.stack.succeed(["up", "--yes", "--skip-preview"])).output;
  }

  sh(name: string, script: string): Promise<string> {
    return vmExec(this.lab, name, ["sh", "-euc", script]);
  }

  /** Until these hosts answer the pod, and no others: of the endpoints of its own sidecar. */
  async untilServing(names: readonly string[]): Promise<void> {
    const wanted = names.map((name) => `${vmByName(this.lab, name).address}:8080`).sort();
    let last = "";
    await until(
      `the service to be served by ${names.join(", ") || "nobody"}`,
      30,
      async () => {
        const text = await kubectl(
          ...["exec", "deploy/sleep", "--container=istio-proxy", "--"],
          ...["pilot-agent", "request", "GET", "clusters"],
        );
        const lines = text
          .split("\n")
          .filter((line) => line.startsWith("outbound|8080||vmhttp.vm.svc.cluster.local::"));
        const found = lines.flatMap(
          (line) => /::(\d+\.\d+\.\d+\.\d+:\d+)::health_flags::healthy$/.exec(line)?.[1] ?? [],
        );
        last = found.sort().join(", ");
        return last === wanted.join(", ");
      },
      () => `it has ${last}`,
    );
    if (names.length > 0) await askFromPod();
  }

  /** Does `work` while clients try requests again as wished for, in place of Istio's own way. */
  async withRetries(retries: { attempts: number; retryOn?: string }, work: () => Promise<void>): Promise<void> {
    const metadata = { name: "retries", namespace: "vm" };
    const host = "vmhttp.vm.svc.cluster.local";
    const spec = { hosts: [host], http: [{ route: [{ destination: { host } }], retries }] };
    await apply({ apiVersion: "networking.istio.io/v1", kind: "VirtualService", metadata, spec });
    try {
      await work();
    } finally {
      await kubectl("delete", "virtualservice", metadata.name, "--namespace=vm");
    }
  }
}

/** Prints a figure, and gives those that failed. */
export function failuresOf(requests: Request[], what: string): Request[] {
  const failed = requests.filter(({ status }) => status !== 200);
  console.log(`      ${what}: ${failed.length} of ${requests.length} requests failed`);
  return failed;
}
