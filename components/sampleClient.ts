import { Deployment } from "@pulumi/kubernetes/apps/v1";
import { ServiceAccount } from "@pulumi/kubernetes/core/v1";
import * as pulumi from "@pulumi/pulumi";
import { injectionLabels } from "../mesh/injection";
import { DEFAULT_REVISION } from "../mesh/istiod";
import { ownerLabels } from "../mesh/kubernetesObject";

export interface SampleClientArgs {
  namespace: pulumi.Input<string>;
  /** An image with `sleep` and `curl`. */
  image: pulumi.Input<string>;
  /** The revision of Istio whose sidecar it gets. Default: default. */
  revision?: string;
  /** The stack's owner mark. */
  owner: pulumi.Input<string>;
}

/** Istio's `sleep` sample: a pod with a sidecar and a service account of its own, to try the mesh from. */
export class SampleClient extends pulumi.ComponentResource {
  constructor(name: string, args: SampleClientArgs, opts?: pulumi.ComponentResourceOptions) {
    super("istio-vm:index:SampleClient", name, {}, opts);
    const metadata = { name: "sleep", namespace: args.namespace, labels: ownerLabels(args.owner) };
    const app = { app: "sleep" };
    const account = new ServiceAccount(`${name}-account`, { metadata }, { parent: this });
    new Deployment(
      `${name}-deployment`,
      {
        metadata,
        spec: {
          replicas: 1,
          selector: { matchLabels: app },
          template: {
            metadata: { labels: { ...app, ...injectionLabels(args.revision ?? DEFAULT_REVISION) } },
            spec: {
              serviceAccountName: account.metadata.name,
              terminationGracePeriodSeconds: 0,
              containers: [{ name: "sleep", image: args.image, command: ["/bin/sleep", "infinity"] }],
            },
          },
        },
      },
      { parent: this },
    );
    this.registerOutputs();
  }
}
