/** A stack with three hosts that serve together: what the tests of their ends share. */
import { execa } from "execa";
import { assertInsideLab } from "../../../lab/exec";
import { labByName, vmByName } from "../../../lab/paths";
import { until } from "../../../lab/run";
import { resetVm, vmExec } from "../../../lab/vm";
import { snapshotCluster } from "../../support/clusterSnapshot";
import type { Snapshot } from "../../support/snapshot";
import { labConfig, operatorSpecOf, type StackConfig, TestStack, withOperatorSpec } from "../../support/testStack";
import { snapshotVm } from "../../support/vmSnapshot";
import { kubectl, type Answer, readPage, SERVICE_URL } from "../mesh";

export const HOSTS = ["vm1", "vm2", "vm3"];
/** It proves who it is by a token. */
export const BY_TOKEN = "vm2";

/** istiod sends what has changed some seconds later, as a busy one does: who does not wait for that is seen. */
function lateConfig(): StackConfig {
  const { values, ...spec } = operatorSpecOf(labConfig()) as { values: { pilot: { env: object } } };
  const env = { ...values.pilot.env, PILOT_DEBOUNCE_AFTER: "8s" };
  return withOperatorSpec(labConfig(), { ...spec, values: { ...values, pilot: { env } } });
}

export class Site {
  readonly lab = labByName();
  readonly stack = new TestStack();
  /** Of the stack as a whole, beside its hosts. */
  options: StackConfig = {};
  /** What cluster and machines looked like before anything. */
  readonly before = new Map<string, Snapshot>();

  /** Fresh machines, and the stack with all hosts. */
  async begin(): Promise<void> {
    assertInsideLab();
    await Promise.all(HOSTS.map((name) => resetVm(this.lab, name)));
    for (const name of HOSTS) {
      await this.sh(name, "runuser --user=admin sudo true"); // it leaves a file, the first time
      this.before.set(name, await snapshotVm(this.lab, name));
    }
    this.before.set("cluster", await snapshotCluster());
    await this.stack.init(this.config(HOSTS));
    await this.up();
  }

  async end(): Promise<void> {
    await this.stack.succeed(["destroy", "--yes", "--skip-preview"]);
    this.stack.remove();
  }

  /** The stack with these hosts. Each serves vmhttp, and a slow service of its own (slowly.ts). */
  config(names: string[], more: Record<string, StackConfig> = {}): StackConfig {
    const service = { namespace: "vm", hosts: names };
    return {
      ...lateConfig(),
      ...this.options,
      hosts: names.map((name) => ({
        ...{ name, namespace: "vm", inboundPorts: [8080, 8081], address: vmByName(this.lab, name).address },
        ...(name === BY_TOKEN ? { identity: "token" } : {}),
        ...more[name],
      })),
      services: [
        { ...service, name: "vmhttp", ports: [{ port: 8080 }] },
        ...names
          .filter((name) => !more[name]?.gone)
          .map((name) => ({ ...service, name: `slow-${name}`, hosts: [name], ports: [{ port: 8081 }] })),
      ],
    };
  }

  configure(names: string[], more?: Record<string, StackConfig>): void {
    this.stack.configure(this.config(names, more));
  }

  async up(): Promise<string> {
    return (await this.stack.succeed(["up", "--yes", "--skip-preview"])).output;
  }

  sh(name: string, script: string): Promise<string> {
    return vmExec(this.lab, name, ["sh", "-euc", script]);
  }

  /** Requests the service on a host until the answer is as wanted. */
  async untilHostSees(name: string, what: string, wanted: (answer: Answer & { status: number }) => boolean) {
    let last = "";
    await until(
      what,
      30,
      async () => {
        last = await this.sh(name, `curl --silent --max-time 5 --write-out '\\n%{http_code}' ${SERVICE_URL} || :`);
        return wanted({ ...readPage(last), status: Number(last.split("\n").at(-1)) });
      },
      () => `the last answer was:\n${last}`,
    );
  }

  /** Runs `npx istio-vm` on the stack. */
  async cli(...args: string[]): Promise<string> {
    const options = { cwd: this.stack.folder, env: this.stack.env, reject: false } as const;
    return (await execa("npx", ["--no-install", "istio-vm", ...args], options)).stdout;
  }

  /** The identities that the mesh refuses. */
  async refused(): Promise<string[]> {
    const path = "jsonpath={.items[*].spec.rules[*].from[*].source.principals[*]}";
    const text = await kubectl("get", "authorizationpolicies", "--namespace=istio-system", `--output=${path}`);
    return text.split(" ").filter(Boolean).sort();
  }

  async accounts(): Promise<string[]> {
    const text = await kubectl("get", "serviceaccounts", "--namespace=vm", "--output=name");
    return text
      .trim()
      .split("\n")
      .map((name) => name.replace(/^serviceaccount\//, ""))
      .filter((name) => name !== "default");
  }
}
