import { local } from "@pulumi/command";
import { Namespace, Secret } from "@pulumi/kubernetes/core/v1";
import * as pulumi from "@pulumi/pulumi";
import { type ClusterAccess, kubectlCommand } from "../tools/kubectl";
import { type AuthorityNotes, authorityAnnotations } from "../mesh/authorityNotes";
import { ownerLabels } from "../mesh/kubernetesObject";

export interface CaCertsSecretArgs {
  rootCert: pulumi.Input<string>;
  caCert: pulumi.Input<string>;
  /** The intermediate and its issuers up to the root. */
  certChain: pulumi.Input<string>;
  caKey: pulumi.Input<string>;
  /** Revocation lists of all these CAs. Default: none. */
  revocationLists?: pulumi.Input<string>;
  /** The authorities of the mesh, as they are called. Default: nothing is said of them. */
  authorities?: pulumi.Input<AuthorityNotes>;
  /** Whether the authority that signs stays as the secret has it: it is not in the program any more. Default: false. */
  keepsSigner?: boolean;
  /** Whether istio-system is there already and is not ours to make or remove. A plain value. Default: false. */
  namespaceExists?: boolean;
  /** The cluster, for kubectl. Default: as kubectl finds it. */
  access?: ClusterAccess;
  /** The stack's owner mark. */
  owner: pulumi.Input<string>;
}

/** What of the secret is the signing authority's. */
const OF_SIGNER = ["ca-cert.pem", "cert-chain.pem", "ca-key.pem"];

const base64 = (text: pulumi.Input<string>) =>
  pulumi.output(text).apply((plain) => Buffer.from(plain).toString("base64"));

/** What istiod's replicas agree on their leaders by (pilot/pkg/leaderelection), and leave there. */
function elections(): string[] {
  const names = [
    ...["istio-leader", "istio-status-leader", "istio-analyze-leader", "istio-gateway-status-leader"],
    ...["istio-namespace-controller-election", "istio-serviceexport-controller-election"],
    ...["istio-clustertrustbundle-controller-election"],
    ...["istio-gateway-deployment", "istio-gateway-inferencepool", "istio-node-untaint", "istio-ip-autoallocate"],
  ];
  return [...names, ...names.map((name) => `${name}-default`)];
}

/**
 * The namespace istio-system and in it the secret `cacerts`, from which istiod takes its signing key
 * (istio.io/docs/tasks/security/cert-management/plugin-ca-cert). It must be there before istiod starts: istiod would
 * make a CA of its own.
 */
export class CaCertsSecret extends pulumi.ComponentResource {
  /** istio-system, once the secret is in it. */
  readonly namespace: pulumi.Output<string>;

  constructor(name: string, args: CaCertsSecretArgs, opts?: pulumi.ComponentResourceOptions) {
    super("istio-vm:index:CaCertsSecret", name, {}, opts);
    const labels = ownerLabels(args.owner);
    // istiod writes its root certificate into every namespace and leaves it there. This goes when istiod is gone for
    // good, with its namespace, which is why it is the first to be made.
    const leftovers = new local.Command(
      `${name}-leftovers`,
      {
        delete: [
          "delete configmaps --all-namespaces --selector=istio.io/config=true --ignore-not-found",
          // Goes with the namespace, if that is ours.
          ...(args.namespaceExists
            ? [`delete configmaps,leases --namespace=istio-system --ignore-not-found ${elections().join(" ")}`]
            : []),
        ]
          .map((command) => kubectlCommand(args.access, command.split(" ")))
          .join(" && "),
      },
      { parent: this },
    );
    const namespace = args.namespaceExists
      ? undefined
      : new Namespace(
          `${name}-namespace`,
          { metadata: { name: "istio-system", labels } },
          { parent: this, dependsOn: leftovers },
        );
    const secret = new Secret(
      `${name}-secret`,
      {
        metadata: {
          name: "cacerts",
          namespace: namespace?.metadata.name ?? "istio-system",
          labels,
          annotations: args.authorities && pulumi.output(args.authorities).apply(authorityAnnotations),
        },
        // No stringData: of that the provider keeps data only, in which nothing would be found that is to stay.
        data: {
          "root-cert.pem": base64(args.rootCert),
          "ca-cert.pem": base64(args.caCert),
          "cert-chain.pem": base64(args.certChain),
          "ca-key.pem": base64(pulumi.secret(args.caKey)),
          ...(args.revocationLists === undefined ? {} : { "ca-crl.pem": base64(args.revocationLists) }),
        },
      },
      {
        parent: this,
        dependsOn: namespace ?? leftovers,
        ignoreChanges: args.keepsSigner ? OF_SIGNER.map((file) => `data["${file}"]`) : [],
      },
    );
    this.namespace = secret.metadata.namespace;
    this.registerOutputs({ namespace: this.namespace });
  }
}
