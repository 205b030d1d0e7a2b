/**
 * Types what the README says into a stock Debian with nothing of ours on it, and prints what was answered.
 *
 *   npx tsx test/fresh/main.ts [--kind kvm|uml|emulated] [--suite SUITE]... [--cold]
 *
 * Without --kind: QEMU and Debian 12 and 13 where hardware virtualisation works, else user-mode Linux and Debian 12.
 * With --cold, the inner machine gets none of the artifacts that this one's cache has, and builds them itself.
 */
import { existsSync, readFileSync, rmSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { table } from "../../cli/table";
import { build, isBuilt } from "../../lab/artifacts";
import { cacheFolder, folder } from "../../lab/paths";
import { aptInstall } from "../../lab/preflight";
import { runSteps, type Step } from "../../lab/progress";
import { Log, succeeds } from "../../lab/run";
import { guarded } from "./guard";
import { memory, NoKernel, start, type Machine } from "./machine";
import { artifactsImage, clone, cloneCheckout, copyTrust, mountArtifacts, setEnvironment } from "./prepare";
import { disk, kernel, type Kind } from "./recipes";
import { typed } from "./typed";

const home = join(cacheFolder, "fresh");
/** Packages that this machine needs for it, besides those of the lab. */
const disks = ["mmdebstrap", "debian-archive-keyring"];
const packages = {
  kvm: [...disks, "qemu-system-x86"],
  emulated: [...disks, "qemu-system-x86"],
  uml: [...disks, "slirp4netns", "build-essential", "flex", "bison", "bc", "kmod", "xz-utils"],
};

/** A line of the table. */
interface Row {
  machine: string;
  step: string;
  seconds: number;
  answer: string;
}

/** Does everything on one machine, and adds to `rows` what is done. @throws what the first failed step threw */
async function fresh(kind: Kind, suite: string, cold: boolean, rows: Row[]): Promise<void> {
  const name = `Debian ${suite}, ${kind}`;
  const log = (part: string) => {
    const path = join(cacheFolder, "log", `fresh-${suite}-${kind}-${part}.log`);
    rmSync(path, { force: true });
    return new Log(path);
  };
  const needed = [...(kind === "uml" ? [kernel] : []), disk(suite, kind)].filter((recipe) => !isBuilt(recipe));
  if (!(await succeeds(["dpkg", "--status", ...packages[kind]]))) await aptInstall(packages[kind], log("packages"));
  for (const recipe of needed) {
    await runSteps([{ title: recipe.title, log: log(recipe.name), run: (to) => build(recipe, to) }]);
  }

  let machine: Machine | undefined;
  const consoleLog = log("console");
  const step = (title: string, to: Log, work: (to: Log) => Promise<string>): Step => ({
    title: `${name}: ${title}`,
    log: to,
    async run() {
      const begin = Date.now();
      const row: Row = { machine: name, step: title, seconds: 0, answer: "FAILED" };
      rows.push(row);
      try {
        row.answer = await work(to);
      } catch (error) {
        (error as Error).message += `\nThe end of its console:\n${consoleLog.tail()}`;
        throw error;
      } finally {
        row.seconds = Math.round((Date.now() - begin) / 1000);
      }
    },
  });
  try {
    await runSteps([
      step("boot", log("boot"), async (to) => {
        const own = folder(home, suite);
        const data = await artifactsImage(own, !cold, to);
        machine = await start(kind, suite, own, data, consoleLog);
        return describe(machine);
      }),
      step("registries, clone", log("prepare"), async (to) => {
        await mountArtifacts(machine!, to);
        await copyTrust(machine!, to);
        if (kind !== "kvm") await setEnvironment(machine!, [["ISTIO_VM_PATIENCE", kind === "uml" ? "5" : "60"]], to);
        return cloneCheckout(machine!, to);
      }),
      ...typed.map(({ command, answer }, index) =>
        step(command, log(`${index + 1}-${command.replace(" ", "-")}`), async (to) =>
          answer(await machine!.type(`cd ${clone} && ${command}`, { log: to })),
        ),
      ),
    ]);
  } finally {
    await machine?.end();
  }
}

/** What kind of machine it is. @throws unless it has cgroup v2 and nothing else */
async function describe(machine: Machine): Promise<string> {
  const look =
    ". /etc/os-release; echo $PRETTY_NAME; uname -r; stat -fc %T /sys/fs/cgroup; cat /sys/fs/cgroup/cgroup.controllers";
  const [system, release, type, controllers] = (await machine.type(look)).trim().split("\n");
  if (type !== "cgroup2fs") throw new Error(`/sys/fs/cgroup is ${type}: this is no pure cgroup v2`);
  return `${system}, Linux ${release}, cgroup v2: ${controllers}`;
}

/** @throws with what this machine lacks */
function check(kind: Kind): void {
  if (process.getuid?.() !== 0)
    throw new Error("not root: the lab's cache is, and disks are made with the owners of their files");
  const free = statfsSync("/dev/shm");
  const room = [
    ["memory", Number(/^MemAvailable: +(\d+)/m.exec(readFileSync("/proc/meminfo", "utf8"))?.[1]) / 1024],
    ...(kind === "uml" ? [["/dev/shm", (free.bavail * free.bsize) / 2 ** 20] as const] : []),
  ] as [string, number][];
  for (const [what, megabytes] of room) {
    if (megabytes < memory)
      throw new Error(`${Math.round(megabytes)} MiB free of ${what}: the machine needs ${memory}`);
  }
}

/** Whether QEMU may find hardware to carry a machine. A virtual machine may have /dev/kvm without it. */
const hasKvm = () => existsSync("/dev/kvm") && /^flags.*\b(vmx|svm)\b/m.test(readFileSync("/proc/cpuinfo", "utf8"));

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      kind: { type: "string" },
      suite: { type: "string", multiple: true },
      cold: { type: "boolean", default: false },
    },
  });
  const { kind = hasKvm() ? "kvm" : "uml" } = values;
  if (!(kind in packages)) throw new Error(`--kind is "${kind}": use ${Object.keys(packages).join(", ")}`);
  check(kind as Kind);
  const rows: Row[] = [];
  const all = async (kind: Kind, suites = kind === "kvm" ? ["bookworm", "trixie"] : ["bookworm"]) => {
    for (const suite of values.suite ?? suites) await fresh(kind, suite, values.cold, rows);
  };
  try {
    await guarded(home, () =>
      all(kind as Kind).catch((error: Error) => {
        if (!(error.cause instanceof NoKernel) || values.kind) throw error;
        console.error(`${error.message}\n/dev/kvm does not work here: taking user-mode Linux`);
        rows.length = 0;
        return all("uml");
      }),
    );
  } finally {
    const cells = rows.map(({ machine, step, seconds, answer }) => [machine, step, String(seconds), answer]);
    if (rows.length > 0) console.log(`\n${table(["MACHINE", "STEP", "SECONDS", "ANSWER"], cells)}`);
  }
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
