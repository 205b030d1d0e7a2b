import { ConfigMap } from "@pulumi/kubernetes/core/v1";
import * as pulumi from "@pulumi/pulumi";
import { ownerLabels } from "../mesh/kubernetesObject";
import { type Authorities, authoritiesText, TRUST_CONFIG, trustConfig } from "../mesh/rotation";

export interface AuthorityRotationArgs {
  /** The authorities of the mesh from now on. Plain values: they decide which resources there are. */
  authorities: Authorities;
  /** Whether there is something to await the first time, for this update has changed them, say. */
  moves: boolean;
  /** A root that the mesh trusts, in PEM. */
  root: pulumi.Input<string>;
  /** Makes this update, of that time, an occasion to be certified anew though nothing changes. */
  again?: Date;
  /** Ends when everything has what these authorities mean to it. */
  settle: () => Promise<void>;
  /** The stack's owner mark. */
  owner: pulumi.Input<string>;
}

/**
 * What follows for running proxies when the mesh's authorities change (mesh/rotation.ts), behind istiod's restart: they are
 * certified anew by the one that signs now, and it is awaited that everything has what it needs before the next step. The
 * stack keeps what was awaited, so that an update that was interrupted goes on there.
 */
export class AuthorityRotation extends pulumi.ComponentResource {
  constructor(name: string, args: AuthorityRotationArgs, opts?: pulumi.ComponentResourceOptions) {
    super("istio-vm:index:AuthorityRotation", name, {}, opts);
    const { authorities, moves, settle, owner } = args;
    const text = authoritiesText(authorities);
    const occasion = args.again === undefined ? text : `${text}, ${args.again.toISOString()}`;
    const trust = new ConfigMap(
      `${name}-trust`,
      {
        metadata: { name: TRUST_CONFIG, namespace: "istio-system", labels: ownerLabels(owner) },
        data: { mesh: pulumi.output(args.root).apply((root) => trustConfig(root, occasion)) },
      },
      { parent: this },
    );
    const hook = (when: string, waits: boolean) =>
      new pulumi.ResourceHook(`${name}-${when}`, async () => {
        if (waits) await settle();
      });
    new pulumi.Stash(
      `${name}-settled`,
      { input: text },
      {
        parent: this,
        dependsOn: trust,
        hooks: { beforeCreate: [hook("create", moves)], beforeUpdate: [hook("update", true)] },
      },
    );
    this.registerOutputs();
  }
}
