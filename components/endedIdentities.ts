import { local } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { AUTHORIZATION_POLICIES, endedIdentityPolicy, endedName } from "../mesh/endedIdentity";
import { OWNER_LABEL } from "../mesh/kubernetesObject";
import { quote } from "../mesh/shell";
import { type ClusterAccess, kubectlCommand } from "../tools/kubectl";

export interface EndedIdentitiesArgs {
  /** The identities that end with the last of their hosts. */
  identities: {
    /** NAMESPACE/SERVICE-ACCOUNT: it stays what it is when a host is renamed, or another host gets it. */
    account: string;
    /** The names of its hosts. */
    hosts: string[];
    /** The SPIFFE ID. */
    identity: string;
    /** Where policies count for the whole mesh: that of its control plane. */
    rootNamespace: string;
    /** Whether it has ended already: all of its machines are gone. */
    ended: boolean;
  }[];
  /** Of all control planes: there what was made is found, though no host is left. */
  rootNamespaces: string[];
  /** Whether the mesh refuses what has ended. Default: true; else it refuses none of them, nor those that ended before. */
  deny?: boolean;
  /** The cluster, for kubectl. Default: as kubectl finds it. */
  access?: ClusterAccess;
  /** The stack's owner mark. */
  owner: pulumi.Input<string>;
}

/** A command that may fail for these reasons, each a pattern of the shell, as if it had nothing to do. */
const unless = (command: string, ...reasons: string[]) =>
  `said=$(${command} 2>&1) || case $said in ${reasons.join(" | ")}) ;; *) printf '%s\\n' "$said" >&2; exit 1 ;; esac`;

/** There is no Istio any more: nobody can be refused, nobody is let in. */
const NO_MESH = ['*"no matches for kind"*', `*"doesn't have a resource type"*`, '*"namespaces "*" not found"*'];
/** Who may not look for policies has made none. */
const FORBIDDEN = '*"is forbidden"*';

/**
 * Ends the identity of hosts whose machines are gone, and of those that have left: the whole mesh refuses it from then on,
 * as long as the stack stands. A host that is there (again) has it back.
 *
 * By commands, for the end of an identity comes when its resource goes: behind its hosts' own, which leave before. What
 * they have made goes with the stack.
 */
export class EndedIdentities extends pulumi.ComponentResource {
  private readonly commands = new Map<string, pulumi.Resource>();

  constructor(name: string, args: EndedIdentitiesArgs, opts?: pulumi.ComponentResourceOptions) {
    super("istio-vm:index:EndedIdentities", name, {}, opts);
    const { identities, deny = true, access = {} } = args;
    const kubectl = (...words: string[]) => kubectlCommand(access, words);
    const owner = pulumi.output(args.owner);
    const rootNamespaces = [...new Set(args.rootNamespaces)].sort();
    const removeAll = owner.apply((mark) =>
      rootNamespaces
        .map((namespace) =>
          kubectl(
            ...["delete", AUTHORIZATION_POLICIES, `--namespace=${namespace}`],
            ...[`--selector=${OWNER_LABEL}=${mark}`, "--ignore-not-found"],
          ),
        )
        .map((command) => unless(command, ...NO_MESH, FORBIDDEN))
        .join("\n"),
    );
    const all = new local.Command(
      `${name}-policies`,
      { create: deny ? undefined : removeAll, delete: removeAll },
      { parent: this },
    );
    for (const { account, hosts, identity, rootNamespace, ended } of identities) {
      const end = owner.apply((mark) => {
        const policy = endedIdentityPolicy({ host: hosts.join(", "), identity }, { owner: mark, rootNamespace });
        return unless(`printf %s ${quote(JSON.stringify(policy))} | ${kubectl("apply", "--filename=-")}`, ...NO_MESH);
      });
      const live = owner.apply((mark) =>
        kubectl(
          ...["delete", AUTHORIZATION_POLICIES, endedName(identity, mark)],
          ...[`--namespace=${rootNamespace}`, "--ignore-not-found"],
        ),
      );
      // Where nothing is denied it does nothing, but is there: were it to go, that would be the end of its identity.
      const commands = deny ? { create: ended ? end : live, delete: end } : {};
      const command = new local.Command(`${name}-${account}`, commands, { parent: this, dependsOn: all });
      this.commands.set(account, command);
    }
    this.registerOutputs();
  }

  /** What must be there before a host of this account is, so that it goes after it; nothing of one that is not among them. */
  of(account: string): pulumi.Resource[] {
    const command = this.commands.get(account);
    return command === undefined ? [] : [command];
  }
}
