import { execFileSync } from "node:child_process";
import { ISTIOCTL_VERSION, istioctlProblem, istioctlVersion } from "../diagnosis/checks/tools";

function run(args: string[], input?: string): string {
  try {
    return execFileSync("istioctl", args, {
      input,
      encoding: "utf8",
      maxBuffer: 64 << 20,
      stdio: ["pipe", "pipe", "pipe"],
    });
  } catch (error) {
    const { code, stderr } = error as NodeJS.ErrnoException & { stderr?: string };
    if (code === "ENOENT")
      throw new Error("IVM102 istioctl is not on the PATH: install the version that istioVersion names");
    throw new Error(`istioctl ${args.join(" ")} failed:\n${stderr?.trim()}`);
  }
}

/**
 * Makes sure that the istioctl on the PATH is of the version that the stack pins: the objects it makes belong to
 * exactly one version of istiod.
 */
export function requireIstioctl(version: string): void {
  const problem = istioctlProblem(istioctlVersion(run(ISTIOCTL_VERSION)), version);
  if (problem !== undefined) throw new Error(`IVM103 ${problem}`);
}

/** The manifest, a multi-document YAML text, that istioctl makes of an IstioOperator's text. */
export function generateManifest(istioOperator: string): string {
  return run(["manifest", "generate", "--filename=-"], istioOperator);
}
