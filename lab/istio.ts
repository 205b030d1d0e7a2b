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
import { run } from "./run";

const inLab = (lab: Lab, argv: string[], input?: string) =>
  run(["nsenter", `--net=${lab.netnsFile}`, "--", ...argv], { env: labEnvironment(lab), timeout: 180, input });

/** The IstioOperator of the lab's stack: images, and what the stock Envoy needs. */
function labOperator(): string {
  const { config } = load(readFileSync(join(checkout, "Pulumi.dev.yaml"), "utf8")) as {
    config: { "pulumi-istio-vm:controlPlane": { install: { operator: object } } };
  };
  const { operator } = config["pulumi-istio-vm:controlPlane"].install;
  return dump({ apiVersion: "install.istio.io/v1alpha1", kind: "IstioOperator", ...operator });
}

/** `istioctl install`, with settings such as `revision=canary`. */
export async function installIstio(lab: Lab, ...settings: string[]): Promise<void> {
  const set = settings.map((setting) => `--set=${setting}`);
  await inLab(lab, ["istioctl", "install", "--skip-confirmation", "--filename=-", ...set], labOperator());
}

/** Takes Istio back: what istioctl made, and what istiod made and istioctl leaves. */
export async function uninstallIstio(lab: Lab): Promise<void> {
  const kubectl = (...args: string[]) => inLab(lab, ["kubectl", ...args]);
  await inLab(lab, ["istioctl", "uninstall", "--purge", "--skip-confirmation"]);
  await kubectl("delete", "namespace", "istio-system", "--ignore-not-found");
  await kubectl("delete", "mutatingwebhookconfigurations", "--selector=istio.io/tag");
  await kubectl("delete", "configmaps", "--all-namespaces", "--selector=istio.io/config=true");
}
