/**
 * The cluster's second state: an Istio that is there already, installed as anybody does it, with the CA that istiod makes
 * for itself. The program under test knows nothing of it.
 *
 *   npx tsx lab/main.ts istio           installs it
 *   npx tsx lab/main.ts istio remove    takes it back, with all of its revisions
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { dump, load } from "js-yaml";
import { labEnvironment } from "./exec";
import { checkout, type Lab } from "./paths";
import { RELEASE, type Release } from "./recipes/istio";
import { run } from "./run";

const inLab = (lab: Lab, argv: string[], input?: string) =>
  run(["nsenter", `--net=${lab.netnsFile}`, "--", ...argv], { env: labEnvironment(lab), timeout: 180, input });

/** What the lab's stack installs, by istioctl of a release: images, and what the stock Envoy needs. */
function labOperator(version: string): string {
  const { config } = load(readFileSync(join(checkout, "Pulumi.dev.yaml"), "utf8")) as {
    config: { "pulumi-istio-vm:controlPlane": { install: { operator: { spec: object } } } };
  };
  const { operator } = config["pulumi-istio-vm:controlPlane"].install;
  const spec = { ...operator.spec, tag: version };
  return dump({ apiVersion: "install.istio.io/v1alpha1", kind: "IstioOperator", spec });
}

/** istioctl of a release that the lab has. */
export const istioctlOf = (lab: Lab, { name }: Release) => join(lab.state, "uses", name, "bin", "istioctl");

/** `istioctl install`, with settings such as `revision=canary`. */
export const installIstio = (lab: Lab, ...settings: string[]) => installRelease(lab, RELEASE, "install", ...settings);

/** Installs a release by its own istioctl, or brings what is there to it by `istioctl upgrade`. */
export async function installRelease(
  lab: Lab,
  release: Release,
  how: "install" | "upgrade",
  ...settings: string[]
): Promise<void> {
  const set = settings.map((setting) => `--set=${setting}`);
  const command = [istioctlOf(lab, release), how, "--skip-confirmation", "--filename=-", ...set];
  await inLab(lab, command, labOperator(release.version));
}

/** Takes Istio back: what istioctl made, and what istiod made and istioctl leaves. */
export async function uninstallIstio(lab: Lab): Promise<void> {
  const kubectl = (...args: string[]) => inLab(lab, ["kubectl", ...args]);
  await inLab(lab, ["istioctl", "uninstall", "--purge", "--skip-confirmation"]);
  await kubectl("delete", "namespace", "istio-system", "--ignore-not-found");
  await kubectl("delete", "mutatingwebhookconfigurations", "--selector=istio.io/tag");
  await kubectl("delete", "configmaps", "--all-namespaces", "--selector=istio.io/config=true");
}
