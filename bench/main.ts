/**
 * What joining costs, next to a floor measured in the same run: figures depend on the machine, ratios hardly.
 *
 *   LAB_NAME=bench node --import tsx lab/main.ts exec -- node --import tsx bench/main.ts [--rounds N] [--hosts N] [PART...]
 *
 * PART: joins (plain ssh and our join, in turn), up (the same by `pulumi up`; after joins), weight (what a host costs the
 * engine). Default: all.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import Table from "cli-table3";
import { hierarchies } from "../lab/cgroups";
import { assertInsideLab } from "../lab/exec";
import { labByName, vmByName } from "../lab/paths";
import { commandsOf } from "../test/host/commands";
import { Host, mustSucceed } from "../test/host/host";
import { labConfig, TestStack } from "../test/support/testStack";
import { floorScript } from "./floor";
import { weigh } from "./weight";

const PARTS = ["joins", "up", "weight"];

/** The host's progress lines by which B's time is told apart. */
const PHASES = ["check", "record", "install", "write", "start", "confirm", "joined"] as const;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: "string", default: "3" }, hosts: { type: "string", default: "6" } },
});
const rounds = Number(values.rounds);
const parts = positionals.length > 0 ? positionals : PARTS;

const lab = labByName();
const config = { ...labConfig(), services: [] };
const hosts = Array.from({ length: Number(values.hosts) }, (_, index) => {
  const { name, address } = vmByName(lab, `vm${index + 1}`);
  return { name, address, namespace: "vm", inboundPorts: [8080], labels: { app: "vmhttp" } };
});

const sorted = (figures: number[]) => [...figures].sort((a, b) => a - b);
const median = (figures: number[]) => {
  const middle = (figures.length - 1) / 2;
  const [low = NaN, high = NaN] = [Math.floor(middle), Math.ceil(middle)].map((at) => sorted(figures)[at]);
  return (low + high) / 2;
};
const spread = (figures: number[]) => `${sorted(figures)[0]?.toFixed(1) ?? "-"} / ${median(figures).toFixed(1)}`;

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return (performance.now() - begun) / 1000;
}

/** Processor seconds of a machine since it booted. */
function processorSeconds({ name }: Host): number {
  const own = hierarchies().find(({ controllers }) => controllers.includes("cpuacct"))?.own;
  const group = `${lab.netns}-${name}`;
  if (own) return Number(readFileSync(join(own, group, "cpuacct.usage"), "utf8")) / 1e9;
  const stat = readFileSync(join("/sys/fs/cgroup", group, "cpu.stat"), "utf8");
  return Number(/^usage_usec (\d+)/.exec(stat)?.[1]) / 1e6;
}

const inAll = (machines: Host[], work: (host: Host) => Promise<unknown>) => Promise.all(machines.map(work));

/** Fresh disks, and a moment for what still boots. */
async function fresh(machines: Host[]): Promise<void> {
  await inAll(machines, (host) => host.reset());
  await delay(5000);
}

/** Joins as the program does, and notes when each phase ended. */
async function joinHost(host: Host, ends: Map<string, number[]>): Promise<void> {
  let last = performance.now();
  const note = (phase: string) => {
    const now = performance.now();
    ends.set(phase, [...(ends.get(phase) ?? []), (now - last) / 1000]);
    last = now;
  };
  mustSucceed(await host.ssh(host.commands.access, host.commands.script).done, `${host.name}: access`);
  note("access");
  const session = await host.startJoin();
  note("bring");
  session.client.all?.on("data", (chunk: Buffer) => {
    for (const [, phase = ""] of chunk.toString().matchAll(/^\S+: (\S+) /gm)) {
      if (PHASES.some((known) => known === phase)) note(phase);
    }
  });
  mustSucceed(await session.done.finally(session.stopConfirming), `${host.name}: join`);
}

function print(title: string, head: string[], rows: (string | number)[][]): void {
  const table = new Table({ head, style: { head: [], border: [] } });
  table.push(...rows);
  console.log(`\n${title}\n${table.toString()}`);
}

async function main(): Promise<void> {
  assertInsideLab();
  const stack = new TestStack();
  await stack.init({ ...config, hosts });
  const up = () => stack.succeed(["up", "--yes", "--skip-preview"]);
  const upWith = (wanted: typeof hosts) => {
    stack.configure({ ...config, hosts: wanted });
    return timed(up);
  };
  console.log(`the mesh, and ${hosts.length} hosts: ${(await timed(up)).toFixed(0)} s`);
  const exported = (await stack.succeed(["stack", "export", "--show-secrets"])).stdout;
  const stored = (await stack.succeed(["stack", "export"])).stdout;
  const machines = hosts.map(({ name }) => new Host(lab, name, commandsOf(exported, name)));

  const series = () => ({ seconds: [] as number[], processor: [] as number[] });
  const figures = { floor: series(), join: series(), up: series(), idle: series() };
  const measure = async (of: keyof typeof figures, work: () => Promise<unknown>) => {
    const used = () => machines.reduce((sum, host) => sum + processorSeconds(host), 0);
    const before = used();
    figures[of].seconds.push(await timed(work));
    figures[of].processor.push((used() - before) / machines.length);
  };
  const phases = new Map<string, number[]>();
  for (let round = 1; round <= rounds; round++) {
    if (parts.includes("joins")) {
      await fresh(machines);
      const floor = async (host: Host) => mustSucceed(await host.ssh("sudo -n sh", floorScript(host)).done, host.name);
      await measure("floor", () => inAll(machines, floor));
      await fresh(machines);
      await measure("join", () => inAll(machines, (host) => joinHost(host, phases)));
    }
    if (parts.includes("up")) {
      await upWith([]);
      await fresh(machines);
      await measure("up", () => upWith(hosts));
      await measure("idle", () => upWith(hosts));
    }
    const last = Object.entries(figures).map(([name, { seconds }]) => `${name} ${seconds.at(-1)?.toFixed(1) ?? "-"} s`);
    console.log(`round ${round} of ${rounds}: ${last.join(", ")}`);
  }

  // Round by round, as others may use the machine in some of them.
  const ratio = (of: keyof typeof figures, unit: "seconds" | "processor", less?: keyof typeof figures) => {
    const own = figures[of][unit].map((figure, at) => figure - (less ? figures[less][unit][at]! : 0));
    return median(own.map((figure, at) => figure / figures.floor[unit][at]!)).toFixed(2);
  };
  const row = (title: string, of: keyof typeof figures) => {
    const { seconds, processor } = figures[of];
    return [title, spread(seconds), ratio(of, "seconds"), spread(processor), ratio(of, "processor")];
  };
  const byEngine = [
    row("C  pulumi up with them", "up"),
    row("D  pulumi up without a change", "idle"),
    ["C less D", "", ratio("up", "seconds", "idle"), "", ratio("up", "processor", "idle")],
  ];
  if (parts.includes("joins")) {
    print(
      `${hosts.length} fresh hosts, ${rounds} rounds`,
      ["min / median", "seconds", "of A", "processor seconds a host", "of A"],
      [
        row("A  plain ssh, one script each", "floor"),
        row("B  our access and join", "join"),
        ...(parts.includes("up") ? byEngine : []),
      ],
    );
    print(
      "where B's time goes",
      ["until the host has said", "seconds, min / median"],
      [...phases].map(([phase, all]) => [phase, spread(all)]),
    );
  }
  if (parts.includes("weight")) {
    if (!parts.includes("up")) await upWith([]);
    const { rows, stateBytes } = await weigh(stack, config, stored, hosts[0]!.name);
    print(
      `the weight of a host: pulumi preview (${stateBytes} bytes of state a host)`,
      ["hosts", "seconds", "CLI, MB", "program, MB", "to create"],
      rows,
    );
  }
  // The machines may be fresh: then leave finds nothing to undo.
  await stack.succeed(["destroy", "--yes", "--skip-preview"]);
  stack.remove();
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
