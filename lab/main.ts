/** The lab's command line: `npx tsx lab/main.ts`. */
import { parseArgs } from "node:util";
import { enterCommand, shell } from "./exec";
import { installIstio, uninstallIstio } from "./istio";
import { buildArtifacts, clean, cleanCache, down, status, up } from "./lab";
import { labByName, vmCount } from "./paths";
import { rebootVm, resetVm } from "./vm";

const usage = `Usage: npx tsx lab/main.ts COMMAND

  up [--vms N] [--rpm] [--tests] [--dual] [--istio 1.30]
                     build what is missing, start what does not run; --rpm: also rpm1, a machine with rpm and dnf;
                     --tests: build what only tests need as well; --dual: IPv6 beside IPv4, for a new lab;
                     --istio: an earlier Istio beside the lab's own
  down               stop everything; the state stays for the next up
  status             what runs
  exec -- CMD...     run a command inside the lab
  shell              a shell inside the lab
  vm reset NAME      a fresh disk, and boot
  vm reboot NAME     reboot
  istio [remove]     an Istio by plain istioctl install, which no stack made
  build              build what is missing, start nothing
  clean [--cache]    down, and remove the state; with --cache the artifacts of all labs too

Environment: LAB_NAME (demo), LAB_VMS (1), ISTIO_VM_CACHE (~/.cache/pulumi-istio-vm),
  ISTIO_VM_PATIENCE (1): what all time-outs are multiplied with, on a machine that is much slower than others`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      vms: { type: "string" },
      rpm: { type: "boolean" },
      tests: { type: "boolean" },
      dual: { type: "boolean" },
      istio: { type: "string" },
      cache: { type: "boolean" },
      help: { type: "boolean" },
    },
  });
  const lab = labByName();
  // Machines' disks get their modes from this process. Commands inside the lab keep the user's.
  if (!["exec", "shell"].includes(positionals[0] ?? "")) process.umask(0o022);
  const [command, ...rest] = positionals;
  switch (command) {
    case "up": {
      const { rpm = false, tests = false, dual = false, istio } = values;
      if (istio !== undefined && istio !== "1.30") break;
      await up(lab, vmCount(values.vms), { rpm, tests, dual, earlier: istio !== undefined });
      console.log(status(lab));
      return 0;
    }
    case "down":
      await down(lab);
      return 0;
    case "status":
      console.log(status(lab));
      return 0;
    case "exec":
      if (rest.length === 0) break;
      return enterCommand(lab, rest);
    case "shell":
      return shell(lab);
    case "vm": {
      const [action, name = ""] = rest;
      if (action === "reset") await resetVm(lab, name);
      else if (action === "reboot") await rebootVm(lab, name);
      else break;
      return 0;
    }
    case "istio":
      if (rest.length > 1 || (rest[0] ?? "remove") !== "remove") break;
      await (rest[0] === "remove" ? uninstallIstio(lab) : installIstio(lab));
      return 0;
    case "build":
      await buildArtifacts();
      return 0;
    case "clean":
      await clean(lab);
      if (values.cache) cleanCache();
      return 0;
  }
  console.error(usage);
  return values.help ? 0 : 2;
}

main().then(
  (status) => (process.exitCode = status),
  (error: Error) => {
    console.error(error.message);
    process.exitCode = 1;
  },
);
