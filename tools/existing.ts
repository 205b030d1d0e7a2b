/** Reads a control plane that is there already: nothing is changed. */
import type { Config } from "../config";
import { fingerprint, splitChain } from "../mesh/certificates";
import { CodedError } from "../mesh/codes";
import {
  contradictions,
  type ExistingControlPlane,
  existingControlPlane,
  existingGateway,
  findRevision,
  type Installed,
  installedRevisions,
} from "../mesh/existing";
import type { ExposedGateway } from "../mesh/exposure";
import { type Kubectl, kubectlFor, list } from "./kubectl";

/** The revisions of Istio in a cluster. @throws CommandError */
export async function readRevisions(kubectl: Kubectl): Promise<Installed[]> {
  const [deployments, webhooks] = await Promise.all([
    list(kubectl, "deployments", "--all-namespaces", "--selector=app=istiod"),
    list(kubectl, "mutatingwebhookconfigurations", "--selector=istio.io/rev"),
  ]);
  return installedRevisions(deployments, webhooks);
}

/** What hosts must know of a revision. @throws CommandError, or why no host could join it */
export async function readControlPlane(kubectl: Kubectl, installed: Installed): Promise<ExistingControlPlane> {
  const [ofNamespace, itself] = await Promise.all([
    list(kubectl, "services,configmaps", `--namespace=${installed.namespace}`),
    list(kubectl, "namespaces", `--field-selector=metadata.name=${installed.namespace}`),
  ]);
  return existingControlPlane(installed, [...ofNamespace, ...itself]);
}

/** A CA whose certificates the mesh would not believe. */
function foreignRoot({ revision, rootCerts }: ExistingControlPlane, ca: Config["ca"]): string[] {
  if (ca === undefined || !("provided" in ca)) return [];
  const trusted = splitChain(rootCerts).map(fingerprint);
  return splitChain(ca.provided.rootCert).some((root) => trusted.includes(fingerprint(root)))
    ? []
    : [`ca.provided.rootCert: revision "${revision}" of Istio trusts another root: it is not that mesh's CA`];
}

/** What the configuration needs to know of an existing mesh. */
export interface ExistingMesh {
  /** By the names by which the configuration calls them, of a revision or a tag. */
  controlPlanes: Map<string, ExistingControlPlane>;
  /** The ingress gateway that exposure LoadBalancer names. */
  gateway?: ExposedGateway;
}

/**
 * Looks at the control planes that hosts of this configuration belong to.
 *
 * @throws everything at once that keeps hosts from joining, or that the configuration says otherwise
 */
export async function readExistingMesh(
  { controlPlane, exposure, hosts, cluster, ca }: Config,
  kubectl = kubectlFor(cluster),
): Promise<ExistingMesh> {
  if (!("existing" in controlPlane)) return { controlPlanes: new Map() };
  const problems: string[] = [];
  const tell = (error: Error) => void problems.push(error.message);
  const installed = await readRevisions(kubectl);
  const wanted = [...new Set([controlPlane.existing.revision, ...hosts.map(({ revision }) => revision)])];
  const read = wanted.map(async (name) => {
    try {
      const found = await readControlPlane(kubectl, findRevision(installed, name));
      problems.push(...contradictions(found, cluster), ...foreignRoot(found, ca));
      return [[name, found] as const];
    } catch (error) {
      tell(error as Error);
      return [];
    }
  });
  const controlPlanes = new Map((await Promise.all(read)).flat());
  let gateway: ExposedGateway | undefined;
  if (exposure.type === "LoadBalancer") {
    const { service, namespace } = exposure.gateway;
    const [object] = await list(
      kubectl,
      "services",
      `--namespace=${namespace}`,
      `--field-selector=metadata.name=${service}`,
    );
    try {
      if (object === undefined) throw new Error(`exposure.gateway: there is no Service ${service} in ${namespace}`);
      gateway = existingGateway(object);
    } catch (error) {
      tell(error as Error);
    }
  }
  if (problems.length > 0) {
    throw new CodedError(
      "IVM317",
      `the mesh that is there is not as the configuration needs it:\n  ${problems.join("\n  ")}`,
    );
  }
  return { controlPlanes, gateway };
}
