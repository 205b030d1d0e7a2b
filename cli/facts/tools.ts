import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Tools } from "../../diagnosis/facts";
import { capture, CommandError, parseJson } from "../../tools/command";
import { istioctlVersion } from "../../tools/istioctl";
import { project } from "../stack";
import { unavailable } from "./answers";

/** What a tool says of its version; undefined if it is not on the PATH. */
async function version(ask: Promise<string>): Promise<string | undefined> {
  try {
    return await ask;
  } catch (error) {
    if (error instanceof CommandError && error.missing) return undefined;
    return `unknown (${unavailable(error as Error).problem})`;
  }
}

async function kubectlVersion(): Promise<string> {
  const answer = await capture("kubectl", ["version", "--client", "--output=json"]);
  const { clientVersion } = parseJson<{ clientVersion?: { gitVersion: string } }>(answer, "kubectl version");
  return clientVersion?.gitVersion ?? "unknown";
}

/** The versions of the tools that the program needs. */
export async function lookAtTools(): Promise<Tools> {
  const { engines } = JSON.parse(readFileSync(join(project, "package.json"), "utf8")) as { engines: { node: string } };
  const [pulumi, istioctl, kubectl] = await Promise.all([
    version(capture("pulumi", ["version"])),
    version(istioctlVersion()),
    version(kubectlVersion()),
  ]);
  return { node: process.version, nodeWanted: engines.node.replace(/^\D*/, ""), pulumi, istioctl, kubectl };
}
