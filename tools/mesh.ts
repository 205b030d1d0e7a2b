/** What a stack's program must know of the cluster before it can say which resources there are: nothing is changed. */
import type { Config, installationOf } from "../config";
import { hasGateway } from "../mesh/controlPlane";
import { EAST_WEST_GATEWAY, type Exposure, exposureOf, INGRESS_GATEWAY } from "../mesh/exposure";
import { type ControlPlane, DEFAULT_REVISION, serviceOf, TOKEN_AUDIENCE } from "../mesh/istiod";
import { at } from "../mesh/istioOperator";
import type { KubernetesObject } from "../mesh/kubernetesObject";
import { readExistingMesh } from "./existing";
import { controlPlaneManifest } from "./istioctl";
import { accountsToMake, type ServiceAccountName } from "./serviceAccounts";

/** A control plane, and of one that is there already what a new one would be told. */
export type KnownControlPlane = ControlPlane & {
  tags?: string[];
  rootCerts?: string;
  selector?: Record<string, string>;
};

/** The gateway through which hosts reach istiod. */
export interface KnownGateway {
  service: string;
  namespace: string;
  /** The labels of its pods. */
  selector: Record<string, string>;
  /** How its Service calls istiod's port, or shall. */
  portName?: string;
}

export interface Mesh {
  /** What istioctl makes, for a control plane of the stack's own. */
  manifest?: KubernetesObject[];
  /** By the names by which the configuration calls them, of a revision or a tag. */
  controlPlanes: Map<string, KnownControlPlane>;
  exposure: Exposure;
  gateway?: KnownGateway;
  /** The network of the cluster, if a host is in another. */
  crossedNetwork?: string;
  /** The service accounts of hosts that the stack makes. */
  accounts: ServiceAccountName[];
}

type Installation = NonNullable<ReturnType<typeof installationOf>>;

/** The control plane that the stack installs, as hosts need to know it. */
function planned({ cluster }: Config, { version, operator }: Installation): KnownControlPlane {
  const network = at(operator, "spec.values.global.network");
  return {
    revision: DEFAULT_REVISION,
    version,
    service: serviceOf(DEFAULT_REVISION),
    namespace: "istio-system",
    trustDomain: cluster.trustDomain!,
    clusterName: cluster.name!,
    network: typeof network === "string" && network !== "" ? network : undefined,
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
      ? new Map([[DEFAULT_REVISION, planned(config, controlPlane.install)]])
      : mesh.controlPlanes;
  const exposure = exposureOf(wanted, {
    installed: manifest !== undefined,
    gateway: manifest === undefined || hasGateway(manifest),
  });
  const gateway: KnownGateway | undefined =
    wanted.type === "EastWestGateway"
      ? { ...EAST_WEST_GATEWAY, namespace: wanted.namespace }
      : (mesh.gateway ?? {
          ...INGRESS_GATEWAY,
          namespace: "istio-system",
          selector: { istio: INGRESS_GATEWAY.selector },
        });
  const [{ network }] = controlPlanes.values() as unknown as [KnownControlPlane];
  const crossedNetwork = hosts.some((host) => host.network !== undefined && host.network !== network)
    ? network
    : undefined;
  return { manifest, controlPlanes, exposure, gateway, crossedNetwork, accounts };
}
