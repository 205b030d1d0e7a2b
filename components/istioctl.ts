import { execFileSync } from "node:child_process";

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
    if (code === "ENOENT") throw new Error("istioctl is not on the PATH: install the version that istioVersion names");
    throw new Error(`istioctl ${args.join(" ")} failed:\n${stderr?.trim()}`);
  }
}

/**
 * Makes sure that the istioctl on the PATH is of the version that the stack pins: the objects it makes belong to
 * exactly one version of istiod.
 */
export function requireIstioctl(version: string): void {
  const answer = run(["version", "--remote=false", "--output=json"]);
  const found = /"version":\s*"([^"]+)"/.exec(answer)?.[1] ?? `unknown (it says ${JSON.stringify(answer.trim())})`;
  if (found !== version) {
    throw new Error(
      `istioctl is of version ${found}, but istioVersion is ${version}: put istioctl ${version} on the PATH, or change istioVersion`,
    );
  }
}

/** The manifest, a multi-document YAML text, that istioctl makes of an IstioOperator's YAML text. */
export function generateManifest(istioOperator: string): string {
  return run(["manifest", "generate", "--filename=-"], istioOperator);
}
