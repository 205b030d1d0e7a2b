/**
 * A control plane that the stack makes itself: its CA in the cluster, Istio, and what must follow when another CA takes the
 * place of the one that the mesh has.
 */
import type { Provider } from "@pulumi/kubernetes/provider";
import * as pulumi from "@pulumi/pulumi";
import { AuthorityRotation, CaCertsSecret, type CertificateAuthority, IstioControlPlane } from "./components";
import type { Authority, Config } from "./config";
import { providedAuthority } from "./config/secrets";
import { keysWith } from "./mesh/authorityNotes";
import { authorityDigest, type Generation, generationOf } from "./mesh/rotation";
import { valueOf } from "./ssh/connection";
import type { Mesh } from "./tools/mesh";
import { type Asking, awaitRotation, type Rotation } from "./tools/rotation";

/** One of the user's own; or one that the stack makes, and earlier ones as long as they are in use. */
export function authorityArgs(ca: Authority, rotation: Rotation | undefined) {
  if ("provided" in ca) return { provided: providedAuthority(ca) };
  const others = rotation?.authorities.known.filter((name) => name !== rotation.wanted) ?? [];
  const earlier = others.map(generationOf).filter((one): one is Generation => one !== undefined);
  return { ...ca, generations: [{ root: ca.root, intermediate: ca.intermediate }, ...earlier] };
}

interface Authorities {
  ca: CertificateAuthority;
  /** The roots that the mesh trusts. */
  trusted: pulumi.Output<string>;
  rotation: Rotation;
  /** Of all of its CAs, if there shall be any. */
  revocationLists?: pulumi.Output<string>;
  asking: Asking;
}

/** A control plane of the stack's own: its CA in the cluster, then Istio, then whatever must follow another CA. */
export function install(
  { cluster }: Config,
  { manifest = [], exposure }: Mesh,
  { ca, trusted, rotation, revocationLists, asking }: Authorities,
  { provider, owner }: { provider: Provider; owner: pulumi.Output<string> },
): IstioControlPlane {
  const { found, wanted, authorities, step, missing } = rotation;
  if (missing.length > 0) {
    void pulumi.log.warn(`the replacement of the CA waits, for before its next step\n  ${missing.join("\n  ")}`);
  }
  // One that the stack does not make, nor have any more, stays in the secret as it is.
  const signing = authorities.signer === wanted ? ca : ca.generation(authorities.signer);
  const signer = signing?.caCert ?? pulumi.output(found!.caCert);
  const { caCert, caKey, certChain, crossChain } = signing ?? ca;
  const made = authorities.known.flatMap((name) => {
    const one = name === wanted ? ca : ca.generation(name);
    return one === undefined ? [] : [one.caCert.apply((cert): [string, string] => [name, cert])];
  });
  const notes = pulumi.all(made).apply((all) => ({ ...authorities, keys: keysWith(found?.keys, all, wanted) }));
  const cacerts = new CaCertsSecret(
    "cacerts",
    {
      ...{ rootCert: trusted, caCert, caKey, certChain: crossChain ?? certChain, revocationLists, authorities: notes },
      keepsSigner: signing === undefined,
      namespaceExists: cluster.existingNamespaces.includes("istio-system"),
      access: cluster,
      owner,
    },
    { provider, dependsOn: ca },
  );
  const istio = new IstioControlPlane(
    "istio",
    {
      manifest,
      exposed: Object.keys(exposure.serviceTypes),
      // By what it believes clients it does not look again, and of several replicas none must lag behind. Of revocation
      // lists it does not see that there are any now, or none any more (pilot/pkg/bootstrap/istio_ca.go).
      readAtStart: pulumi
        .all([trusted, signer])
        .apply((parts) => authorityDigest(...parts) + (revocationLists === undefined ? "" : " lists")),
      owner,
    },
    { provider, dependsOn: cacerts },
  );
  const settle = async () => {
    const [rootCert, caCert, lists] = await valueOf(pulumi.all([trusted, signer, revocationLists]));
    await awaitRotation(rotation, { rootCert, caCert, lists }, asking, (who) => {
      void pulumi.log.info(`waits for ${who.length}: ${who.join("; ")}`, cacerts, 0, true);
    });
  };
  // Nobody waits for it: some of what it waits for is hosts' own to do.
  new AuthorityRotation(
    "authorities",
    {
      ...{ authorities, owner, settle },
      // Also if an earlier update has, and could not await it.
      moves: step !== undefined || missing.length > 0,
      root: (signing ?? ca).rootCert,
      // Somebody may have been certified by an istiod that did not know yet.
      again: missing.length > 0 ? new Date() : undefined,
    },
    { provider, dependsOn: istio },
  );
  return istio;
}
