/** What a host costs the engine: no machine is needed for it, as a preview contacts none. */
import { readdirSync, readFileSync } from "node:fs";
import { setInterval } from "node:timers";
import type { StackConfig, TestStack } from "../test/support/testStack";

const COUNTS = [1, 10, 100];

const read = (path: string) => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // a process that has ended
  }
};

/** The peak memory in MB of this stack's CLI and of its program, as far as they have been seen. */
function watchMemory(folder: string) {
  const peak = { cli: 0, program: 0 };
  const look = () => {
    for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
      const [command = "", ...args] = read(`/proc/${pid}/cmdline`).split("\0");
      const of = /(^|\/)pulumi$/.test(command) ? "cli" : args.some((arg) => arg.includes("cmd/run")) ? "program" : "";
      if (!of || !read(`/proc/${pid}/environ`).includes(`file://${folder}/`)) continue;
      const kilobytes = Number(/^VmHWM:\s+(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0);
      peak[of] = Math.max(peak[of], Math.round(kilobytes / 1024));
    }
  };
  const timer = setInterval(look, 100);
  return { peak, end: () => clearInterval(timer) };
}

/**
 * @param stack has the mesh and no hosts
 * @param stored what `pulumi stack export` printed when `host` was joined
 */
export async function weigh(stack: TestStack, config: StackConfig, stored: string, host: string) {
  const { deployment } = JSON.parse(stored) as { deployment: { resources: { urn: string }[] } };
  const own = deployment.resources.filter(({ urn }) => new RegExp(`::${host}(-|$)`).test(urn));
  const ssh = { ...(config.ssh as object), verifyHostKey: false };
  const rows: (string | number)[][] = [];
  for (const count of COUNTS) {
    const hosts = Array.from({ length: count }, (_, index) => {
      return { name: `host${index + 1}`, address: `172.30.1.${index + 1}`, namespace: "vm", inboundPorts: [8080] };
    });
    stack.configure({ ...config, ssh, hosts });
    const memory = watchMemory(stack.folder);
    const begun = performance.now();
    const { output } = await stack.succeed(["preview"]);
    const seconds = (performance.now() - begun) / 1000;
    memory.end();
    const created = Number(/^\s+\+ (\d+) to create/m.exec(output)?.[1]);
    rows.push([count, seconds.toFixed(1), memory.peak.cli, memory.peak.program, created]);
  }
  return { rows, stateBytes: JSON.stringify(own).length };
}
