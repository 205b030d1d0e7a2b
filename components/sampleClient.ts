import { Deployment } from "@pulumi/kubernetes/apps/v1";
import { ServiceAccount } from "@pulumi/kubernetes/core/v1";
import * as pulumi from "@pulumi/pulumi";
import { ownerLabels } from "../mesh/kubernetesObject";

export interface SampleClientArgs {
  namespace: pulumi.Input<string>;
  /** An image with `sleep` and `curl`. */
  image: pulumi.Input<string>;
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
            // The pod asks for its sidecar itself: the namespace's own labels are not ours to change.
            metadata: { labels: { ...app, "sidecar.istio.io/inject": "true" } },
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
