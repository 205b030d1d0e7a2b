import { CustomResource } from "@pulumi/kubernetes/apiextensions";
import * as pulumi from "@pulumi/pulumi";
import { ownerLabels } from "../mesh/kubernetesObject";
import { servesLabels, type Workload, WORKLOAD_ENTRY, workloadEntrySpec } from "../mesh/workloadEntry";

export interface ServiceMembershipArgs {
  /** The name of the host, which its entries have. */
  host: string;
  /** The names of the services that it serves, by their namespace. */
  services: Map<string, string[]>;
  workload: pulumi.Input<Workload>;
  /** The stack's owner mark. */
  owner: pulumi.Input<string>;
}

/**
 * That a host serves: a WorkloadEntry in each namespace of its services, which they select. Made when the host has joined,
 * and taken back before it leaves.
 */
export class ServiceMembership extends pulumi.ComponentResource {
  constructor(name: string, args: ServiceMembershipArgs, opts: pulumi.ComponentResourceOptions = {}) {
    // Its children wait, not the component: with --continue-on-error, a component behind a host that failed would end
    // the program ("registration isn't pending"), and with it the other hosts' joins.
    const { dependsOn, ...rest } = opts;
    super("istio-vm:index:ServiceMembership", name, {}, rest);
    for (const [namespace, services] of args.services) {
      new CustomResource(
        `${name}-${namespace}`,
        {
          ...WORKLOAD_ENTRY,
          metadata: { name: args.host, namespace, labels: ownerLabels(args.owner, servesLabels(services)) },
          spec: pulumi.output(args.workload).apply(workloadEntrySpec),
        },
        { parent: this, dependsOn },
      );
    }
    this.registerOutputs();
  }
}
