import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Config, installationOf, operatorFacts } from "../config";
import { istioctlProblem } from "../diagnosis/checks/tools";
import { CodedError } from "../mesh/codes";
import { manifestProblems } from "../mesh/controlPlane";
import { istioctlInput } from "../mesh/istioOperator";
import type { KubernetesObject } from "../mesh/kubernetesObject";
import { parseManifests } from "../mesh/manifests";
import { capture, CommandError } from "./command";

/** What istioctl says of its version. @throws CommandError */
export async function istioctlVersion(): Promise<string> {
  const answer = await capture("istioctl", ["version", "--remote=false", "--output=json"]);
  return /"version":\s*"([^"]+)"/.exec(answer)?.[1] ?? `unknown (it says ${JSON.stringify(answer.trim())})`;
}

function installOf(config: Config) {
  const installation = installationOf(config);
  if (installation === undefined) throw new Error("the control plane is there already: nothing is to be installed");
  return installation;
}

/** A path as istioctl's lists take it: as a field of CSV. */
const field = (path: string) => (/[",\s]/.test(path) ? `"${path.replaceAll('"', '""')}"` : path);

/**
 * The manifest, a multi-document YAML text, that istioctl makes of the user's IstioOperator with ours laid upon it.
 *
 * @throws CommandError
 */
export async function generateManifest(config: Config): Promise<string> {
  const { operator, operatorText } = installOf(config);
  const { user, ours, flags } = istioctlInput({ text: operatorText, content: operator }, operatorFacts(config));
  // Only the last of several can come on stdin.
  const folder = await mkdtemp(join(tmpdir(), "istio-vm-"));
  try {
    const file = join(folder, "istio-operator.yaml");
    await writeFile(file, user);
    return await capture(
      "istioctl",
      ["manifest", "generate", `--filename=${field(file)}`, "--filename=-", ...flags],
      ours,
    );
  } finally {
    await rm(folder, { recursive: true });
  }
}

/**
 * The objects of the control plane that the stack pins: what istioctl makes belongs to exactly one version of istiod.
 *
 * @throws if istioctl is missing, of another version, or refuses the IstioOperator, and if hosts could not join what the
 *   manifest installs
 */
export async function controlPlaneManifest(config: Config): Promise<KubernetesObject[]> {
  let manifest: string;
  try {
    const problem = istioctlProblem(await istioctlVersion(), installOf(config).version);
    if (problem !== undefined) throw new CodedError("IVM103", problem);
    manifest = await generateManifest(config);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const args = error.args.filter((arg) => !/^--(filename=.*istio-operator\.yaml|set=)/.test(arg));
    if (!error.missing) throw new Error(`istioctl ${args.join(" ")} failed:\n${error.output}`);
    throw new CodedError(
      "IVM102",
      "istioctl is not on the PATH: install the version that controlPlane.install.version names",
    );
  }
  const objects = parseManifests(manifest);
  const problems = manifestProblems(objects, operatorFacts(config));
  if (problems.length > 0) {
    throw new Error(`hosts could not join what the IstioOperator installs:\n  ${problems.join("\n  ")}`);
  }
  return objects;
}
