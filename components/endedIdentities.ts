import { local } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { AUTHORIZATION_POLICIES, endedIdentityPolicy, endedName } from "../mesh/endedIdentity";
import { OWNER_LABEL } from "../mesh/kubernetesObject";
import { quote } from "../mesh/shell";
import { type ClusterAccess, kubectlCommand } from "../tools/kubectl";

export interface EndedIdentitiesArgs {
  /** The hosts whose identities are nobody else's: what is refused to one may not be refused to another. */
  hosts: {
    name: string;
    /** Its SPIFFE ID. */
    identity: string;
    /** Where policies count for the whole mesh: that of its control plane. */
    rootNamespace: string;
    /** Whether it has ended already: the machine is gone. */
    ended: boolean;
  }[];
  /** The cluster, for kubectl. Default: as kubectl finds it. */
  access?: ClusterAccess;
  /** The stack's owner mark. */
  owner: pulumi.Input<string>;
}

/**
 * Ends the identity of a host whose machine is gone, and of one that has left: the whole mesh refuses it from then on, as
 * long as the stack stands. A host that is there (again) has it back.
 *
 * By commands, for the end of an identity comes when its resource goes: behind the host's own, which leaves before. What
 * they have made goes with the stack.
 */
export class EndedIdentities extends pulumi.ComponentResource {
  private readonly commands = new Map<string, pulumi.Resource>();

  constructor(name: string, args: EndedIdentitiesArgs, opts?: pulumi.ComponentResourceOptions) {
    super("istio-vm:index:EndedIdentities", name, {}, opts);
    const { hosts, access = {} } = args;
    const kubectl = (...words: string[]) => kubectlCommand(access, words);
    const owner = pulumi.output(args.owner);
    const namespaces = [...new Set(hosts.map(({ rootNamespace }) => rootNamespace))].sort();
    const all = new local.Command(
      `${name}-policies`,
      {
        delete: owner.apply((mark) =>
          namespaces
            .map((namespace) =>
              kubectl(
                ...["delete", AUTHORIZATION_POLICIES, `--namespace=${namespace}`],
                ...[`--selector=${OWNER_LABEL}=${mark}`, "--ignore-not-found"],
              ),
            )
            .join(" && "),
        ),
      },
      { parent: this },
    );
    for (const { name: host, identity, rootNamespace, ended } of hosts) {
      const end = owner.apply((mark) => {
        const policy = endedIdentityPolicy({ host, identity }, { owner: mark, rootNamespace });
        return `printf %s ${quote(JSON.stringify(policy))} | ${kubectl("apply", "--filename=-")}`;
      });
      const live = owner.apply((mark) =>
        kubectl(
          ...["delete", AUTHORIZATION_POLICIES, endedName(identity, mark)],
          ...[`--namespace=${rootNamespace}`, "--ignore-not-found"],
        ),
      );
      const command = new local.Command(
        `${name}-${host}`,
        { create: ended ? end : live, delete: end },
        { parent: this, dependsOn: all },
      );
      this.commands.set(host, command);
    }
    this.registerOutputs();
  }

  /** What must be there before the host is, so that it goes after it; nothing of one that is not among them. */
  of(host: string): pulumi.Resource[] {
    const command = this.commands.get(host);
    return command === undefined ? [] : [command];
  }
}
