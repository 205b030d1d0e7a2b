import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Tools } from "../../diagnosis/facts";
import { ISTIOCTL_VERSION, istioctlVersion } from "../../diagnosis/checks/tools";
import { capture, CommandError } from "../../tools/command";
import { project } from "../stack";

async function version(command: string, args: string[], read: (answer: string) => string): Promise<string | undefined> {
  try {
    return read(await capture(command, args));
  } catch (error) {
    if (error instanceof CommandError) return error.missing ? undefined : `unknown (${error.output.split("\n")[0]})`;
    throw error;
  }
}

/** The versions of the tools that the program needs. */
export async function lookAtTools(): Promise<Tools> {
  const { engines } = JSON.parse(readFileSync(join(project, "package.json"), "utf8")) as { engines: { node: string } };
  const [pulumi, istioctl, kubectl] = await Promise.all([
    version("pulumi", ["version"], (answer) => answer.trim()),
    version("istioctl", ISTIOCTL_VERSION, istioctlVersion),
    version("kubectl", ["version", "--client", "--output=json"], (answer) => {
      return (JSON.parse(answer) as { clientVersion: { gitVersion: string } }).clientVersion.gitVersion;
    }),
  ]);
  return { node: process.version, nodeWanted: engines.node.replace(/^\D*/, ""), pulumi, istioctl, kubectl };
}
