/** What a stack's program must know of the cluster before it can say which resources there are: nothing is changed. */
import type { Config, installationOf } from "../config";
import { hasGateway } from "../mesh/controlPlane";
import { type ExistingControlPlane, isDualStack } from "../mesh/existing";
import {
  crossingProblems,
  EAST_WEST_GATEWAY,
  type ExposedGateway,
  type Exposure,
  exposureOf,
  INGRESS_GATEWAY,
} from "../mesh/exposure";
import { type ControlPlane, DEFAULT_REVISION, TOKEN_AUDIENCE, USUAL_ISTIOD } from "../mesh/istiod";
import { CodedError } from "../mesh/codes";
import { at } from "../mesh/json";
import { selectorsIn } from "../mesh/labelSelector";
import type { KubernetesObject } from "../mesh/kubernetesObject";
import { readExistingMesh } from "./existing";
import { controlPlaneManifest } from "./istioctl";
import { type NewNamespace, namespacesToMake } from "./namespaces";
import { accountsToMake, type ServiceAccountName } from "./serviceAccounts";

/** A control plane, and of one that is there already what a new one would be told. */
export type KnownControlPlane = ControlPlane & Partial<ExistingControlPlane>;

export interface Mesh {
  /** What istioctl makes, for a control plane of the stack's own. */
  manifest?: KubernetesObject[];
  /** By the names by which the configuration calls them, of a revision or a tag. */
  controlPlanes: Map<string, KnownControlPlane>;
  exposure: Exposure;
  /** Through which hosts reach istiod, if they do by one. */
  gateway?: ExposedGateway;
  /** The network of the cluster, if a host is in another. */
  crossedNetwork?: string;
  namespaces: NewNamespace[];
  /** The service accounts of hosts that are the stack's own to make. */
  accounts: ServiceAccountName[];
}

type Installation = NonNullable<ReturnType<typeof installationOf>>;

/** As Istio's charts have it: istiod's own, if none is said. */
function rootNamespace(operator: Record<string, unknown>): string {
  const said = at(operator, "spec.meshConfig.rootNamespace");
  return typeof said === "string" && said !== "" ? said : USUAL_ISTIOD.namespace;
}

/** The control plane that the stack installs, as hosts need to know it. */
function planned(
  { cluster }: Config,
  { version, operator }: Installation,
  manifest: KubernetesObject[],
): KnownControlPlane {
  const network = at(operator, "spec.values.global.network");
  return {
    revision: DEFAULT_REVISION,
    version,
    ...USUAL_ISTIOD,
    trustDomain: cluster.trustDomain!,
    clusterName: cluster.name!,
    network: typeof network === "string" && network !== "" ? network : undefined,
    discoverySelectors: selectorsIn(at(operator, "spec.meshConfig")),
    rootNamespace: rootNamespace(operator),
    dualStack: manifest.some(
      (object) => object.kind === "Deployment" && object.metadata.name === USUAL_ISTIOD.service && isDualStack(object),
    ),
    audience: TOKEN_AUDIENCE,
  };
}

/**
 * The mesh that hosts of this configuration join, be it there already or not.
 *
 * @throws why they could not join it, everything at once; or that cluster or istioctl do not answer
 */
export async function readMesh(config: Config): Promise<Mesh> {
  const { controlPlane, exposure: wanted, hosts } = config;
  const [mesh, manifest, accounts] = await Promise.all([
    readExistingMesh(config),
    "install" in controlPlane ? controlPlaneManifest(config) : undefined,
    accountsToMake(hosts, config.cluster),
  ]);
  const controlPlanes: Mesh["controlPlanes"] =
    "install" in controlPlane
      ? new Map([[DEFAULT_REVISION, planned(config, controlPlane.install, manifest!)]])
      : mesh.controlPlanes;
  const exposure = exposureOf(wanted, {
    installed: manifest !== undefined,
    gateway: manifest === undefined || hasGateway(manifest),
  });
  const gateway: ExposedGateway =
    wanted.type === "EastWestGateway"
      ? { ...EAST_WEST_GATEWAY, namespace: wanted.namespace }
      : (mesh.gateway ?? {
          ...INGRESS_GATEWAY,
          namespace: "istio-system",
          selector: { istio: INGRESS_GATEWAY.selector },
        });
  const [first] = controlPlanes.values();
  const crossing = hosts.filter(({ network }) => network !== undefined && network !== first?.network);
  const selectors = [...controlPlanes.values()].map(({ discoverySelectors = [] }) => discoverySelectors);
  const problems =
    wanted.type === "EastWestGateway"
      ? crossingProblems(crossing, first?.network, wanted)
      : crossingProblems(
          crossing.filter((host) => host.gateway),
          first?.network,
        );
  const namespaces = await namespacesToMake(config, selectors, problems);
  if (problems.length > 0) {
    throw new CodedError(
      "IVM317",
      `hosts could not join the mesh as the configuration says:\n  ${problems.join("\n  ")}`,
    );
  }
  const crossedNetwork = crossing.length > 0 ? first?.network : undefined;
  return { manifest, controlPlanes, exposure, gateway, crossedNetwork, namespaces, accounts };
}
