import { local } from "@pulumi/command";
import { Namespace, Secret } from "@pulumi/kubernetes/core/v1";
import * as pulumi from "@pulumi/pulumi";
import { type ClusterAccess, kubectlCommand } from "../tools/kubectl";
import { ownerLabels } from "../mesh/kubernetesObject";

export interface CaCertsSecretArgs {
  rootCert: pulumi.Input<string>;
  caCert: pulumi.Input<string>;
  /** The intermediate and its issuers up to the root. */
  certChain: pulumi.Input<string>;
  caKey: pulumi.Input<string>;
  /** Whether istio-system is there already and is not ours to make or remove. A plain value. Default: false. */
  namespaceExists?: boolean;
  /** The cluster, for kubectl. Default: as kubectl finds it. */
  access?: ClusterAccess;
  /** The stack's owner mark. */
  owner: pulumi.Input<string>;
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
        delete: kubectlCommand(
          args.access,
          "delete configmaps --all-namespaces --selector=istio.io/config=true --ignore-not-found".split(" "),
        ),
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
        metadata: { name: "cacerts", namespace: namespace?.metadata.name ?? "istio-system", labels },
        stringData: {
          "root-cert.pem": args.rootCert,
          "ca-cert.pem": args.caCert,
          "cert-chain.pem": args.certChain,
          "ca-key.pem": pulumi.secret(args.caKey),
        },
      },
      { parent: this, dependsOn: namespace ?? leftovers },
    );
    this.namespace = secret.metadata.namespace;
    this.registerOutputs({ namespace: this.namespace });
  }
}
