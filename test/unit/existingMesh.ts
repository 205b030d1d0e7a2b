/** A cluster with two revisions of Istio, as kubectl shows it: taken from the lab (test/e2e/existing), cut down to what is read. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { KubernetesObject } from "../../mesh/kubernetesObject";
import type { Kubectl } from "../../tools/kubectl";

const FILE = join(__dirname, "..", "fixtures", "existing", "mesh.json");

/** Fresh copies, which a test may change. */
export const meshObjects = () => JSON.parse(readFileSync(FILE, "utf8")) as KubernetesObject[];

export const kindOf = (objects: KubernetesObject[], kind: string) => objects.filter((object) => object.kind === kind);

const KINDS: Record<string, string> = {
  deployments: "Deployment",
  mutatingwebhookconfigurations: "MutatingWebhookConfiguration",
  services: "Service",
  configmaps: "ConfigMap",
  namespaces: "Namespace",
};

/** The kubectl of a cluster with these objects: it knows kinds, namespaces, labels and names. */
export function meshKubectl(objects = meshObjects(), asked: string[] = []): Kubectl {
  return (args) => {
    asked.push(args.join(" "));
    const [verb, kinds = "", ...options] = args;
    assert.equal(verb, "get");
    assert.ok(options.includes("--output=json"));
    const option = (name: string) => options.flatMap((one) => one.split(`--${name}=`)[1] ?? [])[0];
    const name = option("field-selector")?.replace("metadata.name=", "");
    const [label, value] = option("selector")?.split("=") ?? [];
    const wanted = kinds.split(",").map((kind) => KINDS[kind]);
    const items = objects.filter(
      ({ kind, metadata }) =>
        wanted.includes(kind) &&
        (option("namespace") ?? metadata.namespace) === metadata.namespace &&
        (name ?? metadata.name) === metadata.name &&
        (label === undefined || (value ?? metadata.labels?.[label]) === (metadata.labels?.[label] ?? null)),
    );
    return Promise.resolve(JSON.stringify({ items }));
  };
}
