import { CustomResource } from "@pulumi/kubernetes/apiextensions";
import { Deployment } from "@pulumi/kubernetes/apps/v1";
import { ServiceAccount } from "@pulumi/kubernetes/core/v1";
import * as pulumi from "@pulumi/pulumi";
import { EAST_WEST_GATEWAY } from "../mesh/exposure";
import { injectionLabels } from "../mesh/injection";
import { ownerLabels } from "../mesh/kubernetesObject";
import { crossNetworkSpec, networkLabel } from "../mesh/networkGateway";

export interface EastWestGatewayArgs {
  /** Its namespace, which is there. */
  namespace: pulumi.Input<string>;
  /** The revision whose istiod it belongs to. */
  revision: string;
  /** The cluster's network, if hosts are in another: then services of the mesh are reached through it as well. */
  network?: string;
  /** The domain of the cluster's DNS. */
  clusterDomain: pulumi.Input<string>;
  /** The stack's owner mark. */
  owner: pulumi.Input<string>;
}

/**
 * A gateway of our own: Envoy, put into the pod by Istio's own injection as Istio's chart `gateway` has it
 * (manifests/charts/gateway), so that it is of the mesh's version and moves with it. What it passes on, and how it is
 * reached, is said by MeshExpansion and ControlPlaneExposure.
 */
export class EastWestGateway extends pulumi.ComponentResource {
  constructor(name: string, args: EastWestGatewayArgs, opts?: pulumi.ComponentResourceOptions) {
    super("istio-vm:index:EastWestGateway", name, {}, opts);
    const { namespace, revision, network, clusterDomain, owner } = args;
    const { service, selector } = EAST_WEST_GATEWAY;
    const metadata = { name: service, namespace, labels: ownerLabels(owner) };
    const account = new ServiceAccount(`${name}-account`, { metadata }, { parent: this });
    const ofNetwork = network === undefined ? {} : networkLabel(network);
    const env = network === undefined ? [] : [{ name: "ISTIO_META_REQUESTED_NETWORK_VIEW", value: network }];
    new Deployment(
      `${name}-deployment`,
      {
        metadata,
        spec: {
          selector: { matchLabels: selector },
          template: {
            metadata: {
              labels: { ...selector, ...injectionLabels(revision), ...ofNetwork },
              annotations: { "inject.istio.io/templates": "gateway" },
            },
            spec: {
              serviceAccountName: account.metadata.name,
              // Injection says which image. Kubernetes, which sees the text alone, would have it pulled at each start.
              containers: [{ name: "istio-proxy", image: "auto", imagePullPolicy: "IfNotPresent", env }],
            },
          },
        },
      },
      { parent: this },
    );
    if (network !== undefined) {
      new CustomResource(
        `${name}-cross-network`,
        {
          apiVersion: "networking.istio.io/v1",
          kind: "Gateway",
          metadata: { ...metadata, name: "cross-network-gateway" },
          spec: pulumi.output(clusterDomain).apply((domain) => crossNetworkSpec(selector, domain)),
        },
        { parent: this },
      );
    }
    this.registerOutputs();
  }
}
