/** Running commands inside a lab. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readlinkSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { folder, type Lab, labByName } from "./paths";

/** Makes `bin/` and `pulumi/` of the lab's state: what `labEnvironment` points to. */
export function prepareTools(lab: Lab): void {
  for (const client of ["ssh", "scp"]) {
    const wrapper = `#!/bin/sh\nexec /usr/bin/${client} -F '${join(lab.state, "ssh", "config")}' "$@"\n`;
    writeFileSync(join(folder(lab.state, "bin"), client), wrapper, { mode: 0o755 });
  }
  folder(lab.state, "pulumi", "backend");
  const plugins = join(lab.state, "pulumi", "home", "plugins");
  folder(lab.state, "pulumi", "home");
  rmSync(plugins, { force: true });
  symlinkSync(join(lab.state, "uses", "pulumi", "plugins"), plugins);
  // The CLI logs every property of every call, which takes it longer than its work; only where it can't, it does not.
  const logs = join(lab.state, "pulumi", "home", "logs");
  rmSync(logs, { recursive: true, force: true });
  writeFileSync(logs, "");
}

/** What a command inside the lab finds in its environment, besides what its caller had. */
export function labEnvironment(lab: Lab): Record<string, string> {
  const bins = ["kubernetes", "istio", "pulumi"].map((name) => join(lab.state, "uses", name, "bin"));
  return {
    PATH: [join(lab.state, "bin"), ...bins, process.env.PATH].join(":"),
    LAB_NAME: lab.name,
    ISTIO_VM_LAB: lab.state,
    KUBECONFIG: join(lab.state, "kubeconfig"),
    KUBECACHEDIR: join(lab.state, "kubectl-cache"),
    PULUMI_HOME: join(lab.state, "pulumi", "home"),
    PULUMI_BACKEND_URL: `file://${join(lab.state, "pulumi", "backend")}`,
    PULUMI_CONFIG_PASSPHRASE: "lab",
    PULUMI_SKIP_UPDATE_CHECK: "true",
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
    PULUMI_NODEJS_TRANSPILE_ONLY: "true",
    // Node compiles the SDK and the plugins once, not at each start.
    NODE_COMPILE_CACHE: join(lab.state, "node-cache"),
  };
}

/**
 * Runs a command inside the lab's network with `labEnvironment` and this process's terminal.
 * @returns its exit status; 128 and the signal's number, if a signal ended it
 * @throws if the lab is not up
 */
export async function enterCommand(lab: Lab, argv: string[], env: Record<string, string> = {}): Promise<number> {
  if (!existsSync(lab.netnsFile)) {
    throw new Error(`the lab "${lab.name}" is not up: start it with \`npx tsx lab/main.ts up\``);
  }
  const child = spawn("nsenter", [`--net=${lab.netnsFile}`, "--", ...argv], {
    stdio: "inherit",
    env: { ...process.env, ...labEnvironment(lab), ...env },
  });
  // A terminal sends Ctrl-C to both; the command decides what it means.
  process.on("SIGINT", () => undefined);
  for (const signal of ["SIGTERM", "SIGHUP"] as const) process.on(signal, () => child.kill(signal));
  const [status, signal] = (await once(child, "exit")) as [number | null, NodeJS.Signals | null];
  return status ?? 128 + constants.signals[signal!];
}

/**
 * Refuses to go on outside of a lab, where packets to its addresses would leave this computer.
 * @throws unless this process is in the network namespace of the lab that LAB_NAME names
 */
export function assertInsideLab(lab: Lab = labByName()): void {
  const own = readlinkSync("/proc/self/ns/net");
  const inside = existsSync(lab.netnsFile) && own === `net:[${statSync(lab.netnsFile).ino}]`;
  if (!inside) {
    throw new Error(
      "this must run inside the lab's network: put `npx tsx lab/main.ts exec --` before the command " +
        "(outside of it, the lab's addresses are somebody else's)",
    );
  }
}

/** An interactive shell inside the lab. */
export function shell(lab: Lab): Promise<number> {
  const banner = `
Inside the lab "${lab.name}": its network, and nothing beyond.
  kubectl get pods -A      the cluster
  istioctl proxy-status    the mesh, once it is installed
  pulumi stack ls          stacks of the lab's own backend
  ssh vm1                  a VM, as admin (sudo without a password)
  curl http://172.30.0.21:8080/    its application
Leave with exit or Ctrl-D.
`;
  const rc = join(lab.state, "bashrc");
  writeFileSync(
    rc,
    `[ -r ~/.bashrc ] && . ~/.bashrc\nPATH='${labEnvironment(lab).PATH}'\nPS1='[lab ${lab.name}] \\w\\$ '\n`,
  );
  console.log(banner);
  return enterCommand(lab, ["bash", "--rcfile", rc, "-i"]);
}
