/** A cluster with two revisions of Istio, as kubectl shows it: taken from the lab (test/e2e/existing), cut down to what is read. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { KubernetesObject } from "../../mesh/kubernetesObject";

const FILE = join(__dirname, "..", "fixtures", "existing", "mesh.json");

/** Fresh copies, which a test may change. */
export const meshObjects = () => JSON.parse(readFileSync(FILE, "utf8")) as KubernetesObject[];

export const kindOf = (objects: KubernetesObject[], kind: string) => objects.filter((object) => object.kind === kind);
