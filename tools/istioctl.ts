import type { Config } from "../config";
import { istioctlProblem } from "../diagnosis/checks/tools";
import { exposureOf } from "../mesh/exposure";
import { renderIstioOperator } from "../mesh/istioOperator";
import type { KubernetesObject } from "../mesh/kubernetesObject";
import { parseManifests } from "../mesh/manifests";
import { capture, CommandError } from "./command";
import { CodedError } from "../mesh/codes";

/** What istioctl says of its version. @throws CommandError */
export async function istioctlVersion(): Promise<string> {
  const answer = await capture("istioctl", ["version", "--remote=false", "--output=json"]);
  return /"version":\s*"([^"]+)"/.exec(answer)?.[1] ?? `unknown (it says ${JSON.stringify(answer.trim())})`;
}

/**
 * The manifest, a multi-document YAML text, that istioctl makes of the stack's IstioOperator.
 *
 * @throws CommandError, or what is wrong with the IstioOperator
 */
export async function generateManifest({ istioOperator, cluster, exposure }: Config): Promise<string> {
  const facts = { trustDomain: cluster.trustDomain, clusterName: cluster.name, exposure: exposureOf(exposure) };
  const operator = renderIstioOperator(istioOperator, facts);
  return capture("istioctl", ["manifest", "generate", "--filename=-"], operator);
}

/**
 * The objects of the control plane that the stack pins: what istioctl makes belongs to exactly one version of istiod.
 *
 * @throws if istioctl is missing, of another version, or refuses the IstioOperator
 */
export async function controlPlaneManifest(config: Config): Promise<KubernetesObject[]> {
  let manifest: string;
  try {
    const problem = istioctlProblem(await istioctlVersion(), config.istioVersion);
    if (problem !== undefined) throw new CodedError("IVM103", problem);
    manifest = await generateManifest(config);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    if (!error.missing) throw new Error(`istioctl ${error.args.join(" ")} failed:\n${error.output}`);
    throw new CodedError("IVM102", "istioctl is not on the PATH: install the version that istioVersion names");
  }
  return parseManifests(manifest);
}
