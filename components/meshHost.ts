import { local, remote, type types } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { accompany } from "../ssh/accompany";
import { hostScripts, joinScript, renderFiles } from "../ssh/bundle";
import { accessCommand, hostScript, leaveCommand, remoteCommand } from "../ssh/commands";
import { valueOf } from "../ssh/connection";
import { machineIn, moveProblem, Neighbours } from "../ssh/machine";
import type { Login } from "../ssh/session";
import { type Capture, letsGo, takenIn } from "../mesh/capture";
import type { IstiodEndpoint } from "../mesh/environment";
import { type HostPackage, hostState, SECRET_URL, secretUrlFile, TOKEN_FILE } from "../mesh/hostState";

/**
 * An istio-sidecar package: from a URL that the host can reach, which may be a secret and is in no text then; or a file
 * here that is sent to the host.
 */
export type SidecarPackage = ({ url: string } | { secretUrl: pulumi.Input<string> } | { file: string }) &
  Omit<HostPackage, "source">;

/** How a host proves who it is: by a certificate and its key, or by a token that is asked for just before it is sent. */
export type HostProof =
  | {
      /** The workload's certificate and its issuers. */
      certChain: pulumi.Input<string>;
      key: pulumi.Input<string>;
    }
  | {
      /** @returns a service account token; it is in no state, and is sent but once */
      token: () => Promise<string>;
      /** When its identity ended, if the host has just said so: then it needs a new one. */
      ended?: Date;
    };

export interface MeshHostArgs {
  connection: types.input.remote.ConnectionArgs;
  /** The address at which pods reach the host. */
  address: pulumi.Input<string>;
  namespace: pulumi.Input<string>;
  serviceAccount: pulumi.Input<string>;
  trustDomain: pulumi.Input<string>;
  /** The cluster's name as istiod knows it. */
  clusterName: pulumi.Input<string>;
  serviceCidr: pulumi.Input<string>;
  /** What goes through the sidecar. Default: all. */
  capture?: Capture;
  /** TCP ports that the sidecar serves, or "*" for all but SSH and the sidecar's own. */
  inboundPorts: pulumi.Input<pulumi.Input<number>[] | "*">;
  /** Labels of the workload. */
  labels: pulumi.Input<Record<string, string>>;
  /** Further variables for the sidecar. Default: none. */
  environment?: pulumi.Input<Record<string, string>>;
  /** The network that it is in, where networks have names. */
  network?: pulumi.Input<string | undefined>;
  /** Whether istiod has proxies serve both families of addresses. Default: false. */
  dualStack?: boolean;
  /** Where the host reaches istiod, and by which name istiod proves itself. */
  istiod: { [Field in keyof IstiodEndpoint]: pulumi.Input<IstiodEndpoint[Field]> };
  /** The host's SPIFFE ID. */
  identity: pulumi.Input<string>;
  /** The certificates that the host trusts. */
  rootCert: pulumi.Input<string>;
  /** The mesh's revocation lists, of all of its CAs. Default: none. */
  revocationLists?: pulumi.Input<string>;
  proof: HostProof;
  /** Of these the host takes the one that fits its package manager and its architecture. */
  sidecar: SidecarPackage[];
  /** Whether programs on the host know the names of the mesh's services. Default: false. */
  dns?: boolean;
  /** A sidecar that was joined by hand is taken over, and given back by leave. Default: false, it is refused. */
  adopt?: boolean;
  /** Run join at every update, so that what was changed on the host by hand is put right. Default: false. */
  healDrift?: boolean;
  /** The machine can't be reached any more: nothing is asked of it, now or when it is deleted. Default: false. */
  gone?: boolean;
  /** A command here that ends when nobody in the mesh is sent to the host any more: it leaves after that. Default: none. */
  withdrawal?: pulumi.Input<string>;
  /**
   * Ends when nobody in the mesh speaks mutual TLS any more to what the sidecar lets go, which it does after that.
   * Default: it does not wait.
   */
  beforeLettingGo?: (say: (line: string) => void) => Promise<void>;
  /** The stack's owner mark. */
  owner: pulumi.Input<string>;
  /** The other hosts of the program. Default: none. */
  neighbours?: Neighbours;
}

/**
 * A machine outside of the cluster as a workload of the mesh, by two commands over SSH, as root through sudo (and one here,
 * before the host leaves, by which it is seen that nobody is sent there any more):
 *
 * - `<name>-access` only logs in and becomes root when it is made; deleting it runs `leave`. It is there before join
 *   begins, so a join that was cut off half way is cleaned up by `pulumi destroy` too.
 * - `<name>-join` runs `join` when it is made or changed. Its input is the state that the host shall have, so that a
 *   preview shows line by line what changes on which host. Just before it the program brings scripts, certificates and
 *   key there by a session of its own, which stays until the join has ended and confirms it (ssh/accompany.ts): so they
 *   are in no state, and are sent where they are needed only.
 */
export class MeshHost extends pulumi.ComponentResource {
  /** What join said last: the version of the sidecar and that it is in sync with istiod. */
  readonly state: pulumi.Output<string>;

  constructor(name: string, args: MeshHostArgs, opts?: pulumi.ComponentResourceOptions) {
    super("istio-vm:index:MeshHost", name, {}, opts);
    const { neighbours = new Neighbours(new Map()) } = args;
    // Before anything is changed there: a machine that the stack loses sight of would stay joined for good.
    const stay = new pulumi.ResourceHook(`${name}-stay`, async ({ oldInputs, newInputs, oldOutputs }) => {
      const { connection: from } = oldInputs as { connection: pulumi.Output<Login> };
      const { connection: to } = newInputs as { connection: pulumi.Output<Login> };
      const { stdout = "" } = oldOutputs as { stdout?: string };
      const move = await valueOf(pulumi.output({ name, owner: args.owner, from, to, machine: machineIn(stdout) }));
      const problem = await moveProblem(move, neighbours).catch(({ message }: Error) => `${name}: ${message}`);
      if (problem !== undefined) throw new Error(problem);
    });
    const access = new remote.Command(
      `${name}-access`,
      {
        connection: args.connection,
        create: accessCommand(name),
        delete: leaveCommand(),
        stdin: pulumi.output(args.owner).apply((owner) => hostScript(name, owner)),
        addPreviousOutputInEnv: false,
      },
      args.gone
        ? { parent: this, retainOnDelete: true, ignoreChanges: ["connection", "create", "delete", "stdin"] }
        : { parent: this, hooks: { beforeUpdate: [stay] } },
    );
    if (args.gone) {
      this.state = pulumi.output("gone");
      this.registerOutputs({ state: this.state });
      return;
    }

    if (args.withdrawal !== undefined) {
      new local.Command(`${name}-withdrawal`, { delete: args.withdrawal }, { parent: this, dependsOn: access });
    }
    const scripts = hostScripts();
    const { sidecar, proof } = args;
    const byCertificate = "key" in proof ? proof : undefined;
    const renewed = "token" in proof ? this.renewed(name, proof.ended) : undefined;
    const state = pulumi
      .output({
        owner: args.owner,
        identity: args.identity,
        rootCert: args.rootCert,
        revocationLists: args.revocationLists,
        certChain: byCertificate?.certChain,
        renewed,
        istiod: args.istiod,
        mesh: {
          serviceCidr: args.serviceCidr,
          trustDomain: args.trustDomain,
          clusterName: args.clusterName,
          network: args.network,
          dualStack: args.dualStack,
        },
        workload: {
          namespace: args.namespace,
          serviceAccount: args.serviceAccount,
          capture: args.capture,
          inboundPorts: args.inboundPorts,
        },
        // Not the connection as a whole: its key would make the text a secret, and a preview could not show it.
        sshPort: args.connection.port ?? 22,
        sidecar: { address: args.address, labels: args.labels, extra: args.environment ?? {} },
      })
      .apply((spec) =>
        hostState({
          ...spec,
          name,
          packages: sidecar.map((each) => ({
            ...each,
            source: "url" in each ? each.url : "secretUrl" in each ? SECRET_URL : "sent",
          })),
          scripts,
          dns: args.dns,
          adopt: args.adopt,
          run: args.healDrift ? new Date() : undefined,
        }),
      );
    const secretUrls = pulumi.output(
      Object.fromEntries(
        sidecar.flatMap((each) => ("secretUrl" in each ? [[secretUrlFile(each), each.secretUrl]] : [])),
      ),
    );
    const brought = pulumi.all([
      args.connection,
      state,
      args.rootCert,
      args.revocationLists,
      byCertificate?.certChain,
      byCertificate?.key,
      secretUrls,
    ]);
    access.stdout.apply((said) => {
      const machine = machineIn(said);
      if (machine !== undefined) neighbours.note(name, machine);
    });
    const bring = new pulumi.ResourceHook(`${name}-bring`, async () => {
      const twin = neighbours.twinOf(name);
      if (twin !== undefined) {
        throw new Error(`${name}: it is the same machine as ${twin}: take one of them off hosts (IVM717)`);
      }
      const [connection, text, rootCert, lists, certChain, key, urls] = await valueOf(brought);
      const failed = (what: string) => (error: Error) => {
        throw new Error(`${name}: ${what}${error.message}`);
      };
      const identity: Record<string, string> =
        "token" in proof
          ? { [TOKEN_FILE]: await proof.token().catch(failed("")) }
          : { "cert-chain.pem": certChain!, "key.pem": key! };
      // What it says here, against the host's own clock.
      const epoch = `${Math.floor(Date.now() / 1000)}`;
      const files = renderFiles({
        ...{ ...scripts, "root-cert.pem": rootCert, ...identity, ...urls, epoch },
        ...(lists === undefined ? {} : { "ca-crl.pem": lists }),
      });
      const baggage = { state: text, files, packages: sidecar.filter((each) => "file" in each) };
      await accompany(connection, baggage).catch(failed("what the join needs could not be brought: "));
    });
    const release = new pulumi.ResourceHook(`${name}-release`, async ({ oldInputs, newInputs }) => {
      const texts = [oldInputs, newInputs].map((inputs) => (inputs as { stdin: pulumi.Input<string> }).stdin);
      const [before = "", after = ""] = await valueOf(pulumi.output(texts));
      if (letsGo(takenIn(before), takenIn(after)))
        await args.beforeLettingGo?.((line) => void pulumi.log.info(line, join));
    });
    const join: remote.Command = new remote.Command(
      `${name}-join`,
      {
        connection: args.connection,
        create: remoteCommand("join"),
        // With the key's dependencies, but not its secretness: what is brought must be there when the join begins.
        stdin: pulumi
          .all([state, pulumi.unsecret(pulumi.output(byCertificate?.key))])
          .apply(([text]) => joinScript(text)),
        addPreviousOutputInEnv: false,
      },
      {
        parent: this,
        dependsOn: access,
        hooks: { beforeCreate: [bring], beforeUpdate: [release, bring] },
      },
    );
    this.state = join.stdout.apply((output) => output.trimEnd().split("\n").at(-1) ?? "");
    this.registerOutputs({ state: this.state });
  }

  /**
   * After the end of which identity the host got its last one by a new token, or nothing. It is kept, for join must run
   * again when it changes, and only then: not when the host is well again, or can't be asked.
   */
  private renewed(name: string, ended: Date | undefined): pulumi.Output<string> {
    const kept = new pulumi.Stash(
      `${name}-renewed`,
      { input: ended?.toISOString() ?? "" },
      { parent: this, ignoreChanges: ended === undefined ? ["input"] : [] },
    );
    return kept.input as pulumi.Output<string>;
  }
}
