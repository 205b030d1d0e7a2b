import { CustomResourcePatch } from "@pulumi/kubernetes/apiextensions";
import * as pulumi from "@pulumi/pulumi";
import { servesLabels, WORKLOAD_ENTRY } from "../mesh/workloadEntry";

export interface ServiceMembershipArgs {
  /** The name of the host and of its WorkloadEntries (MeshWorkload). */
  host: string;
  /** The services that it serves, by their namespace. */
  services: Map<string, string[]>;
}

/**
 * That a host serves: its WorkloadEntries get the labels that its services select. A resource of its own, made when the
 * host has joined and taken back before it leaves, whereas the entries are there before and after.
 */
export class ServiceMembership extends pulumi.ComponentResource {
  constructor(name: string, args: ServiceMembershipArgs, opts: pulumi.ComponentResourceOptions = {}) {
    // Its children wait, not the component: with --continue-on-error, a component behind a host that failed would end
    // the program ("registration isn't pending"), and with it the other hosts' joins.
    const { dependsOn, ...rest } = opts;
    super("istio-vm:index:ServiceMembership", name, {}, rest);
    for (const [namespace, services] of args.services) {
      new CustomResourcePatch(
        `${name}-${namespace}`,
        { ...WORKLOAD_ENTRY, metadata: { name: args.host, namespace, labels: servesLabels(services) } },
        { parent: this, dependsOn },
      );
    }
    this.registerOutputs();
  }
}
