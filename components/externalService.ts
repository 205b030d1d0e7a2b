import { CustomResource } from "@pulumi/kubernetes/apiextensions";
import { Service } from "@pulumi/kubernetes/core/v1";
import * as pulumi from "@pulumi/pulumi";
import {
  type Endpoint,
  type ServicePort,
  serviceAnnotations,
  serviceEntrySpec,
  serviceHost,
  serviceSpec,
  serviceUrl,
} from "../mesh/externalService";
import { digest } from "../mesh/digest";
import { ownerLabels } from "../mesh/kubernetesObject";

export interface ExternalServiceArgs {
  /** The name of the Service. */
  serviceName: pulumi.Input<string>;
  namespace: pulumi.Input<string>;
  ports: pulumi.Input<ServicePort[]>;
  /** The hosts that serve it. */
  endpoints: pulumi.Input<pulumi.Input<Endpoint>[]>;
  /** The domain of the cluster's DNS. Default: cluster.local. */
  clusterDomain?: pulumi.Input<string>;
  /** The stack's owner mark. */
  owner: pulumi.Input<string>;
}

/**
 * A service that hosts of the mesh offer to pods: a ServiceEntry, by which sidecars know its endpoints and whom to
 * expect there, and a Service without selector, by which its name resolves.
 */
export class ExternalService extends pulumi.ComponentResource {
  /** The URL of its first port, for a client in the mesh. */
  readonly url: pulumi.Output<string>;

  constructor(name: string, args: ExternalServiceArgs, opts: pulumi.ComponentResourceOptions = {}) {
    // Its children wait, not the component: with --continue-on-error, a component behind a host that failed would end
    // the program ("registration isn't pending"), and with it the other hosts' joins. The Service waits as well: with
    // other ports than the ServiceEntry, which would stay as it was, it would break for the hosts that do serve it.
    const { dependsOn, ...rest } = opts;
    super("istio-vm:index:ExternalService", name, {}, rest);
    const child = { parent: this, dependsOn };
    const { serviceName, namespace, clusterDomain = "cluster.local" } = args;
    const host = pulumi.all([serviceName, namespace, clusterDomain]).apply((parts) => serviceHost(...parts));
    const metadata = { name: serviceName, namespace, labels: ownerLabels(args.owner) };
    const endpoints = pulumi.output(args.endpoints).apply((list) => digest(JSON.stringify(list)));
    const annotations = pulumi.output(args.endpoints).apply((list) => serviceAnnotations(list)!);
    new Service(
      `${name}-service`,
      { metadata: { ...metadata, annotations }, spec: pulumi.output(args.ports).apply(serviceSpec) },
      child,
    );
    new CustomResource(
      `${name}-entry`,
      {
        apiVersion: "networking.istio.io/v1",
        kind: "ServiceEntry",
        metadata: {
          ...metadata,
          // For endpoints alone, istiod tells a new host's sidecar nothing of the service that it now serves
          // (pilot/pkg/serviceregistry/serviceentry: no config push unless the service itself or its labels change).
          labels: ownerLabels(args.owner, { "pulumi-istio-vm/endpoints": endpoints }),
        },
        spec: pulumi.all([host, args.ports, args.endpoints]).apply((parts) => serviceEntrySpec(...parts)),
      },
      child,
    );
    this.url = pulumi.all([host, args.ports]).apply(([h, [first]]) => serviceUrl(h, first as ServicePort));
    this.registerOutputs({ url: this.url });
  }
}
