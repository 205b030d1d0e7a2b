import { X509Certificate } from "node:crypto";
import { inspectCertificate, splitChain } from "../certificates";
import { about, type Check, each, eachHost, error, ok, skipped, type Verdict, warning } from "./check";
import { type ClusterFacts, type Facts, isAvailable } from "./facts";

const DAY = 24 * 3600 * 1000;
/** Days before the end of a CA at which one should think of the next. */
const CA_WARNING_DAYS = 30;

type CaCerts = NonNullable<ClusterFacts["cacerts"]>;

const same = (a: string, b: string) => new X509Certificate(a).fingerprint256 === new X509Certificate(b).fingerprint256;

/** The certificate authority at hand: in the cluster, else in the configuration. Undefined before the first update. */
function authority({ cluster, config }: Facts): CaCerts | undefined {
  if (isAvailable(cluster) && cluster.cacerts !== undefined) return cluster.cacerts;
  return config !== undefined && "provided" in config.ca ? config.ca.provided : undefined;
}

const ofAuthority = (judge: (authority: CaCerts, facts: Facts) => Verdict[]): Check["evaluate"] => {
  return (facts) => {
    const at = authority(facts);
    return at === undefined ? skipped("there is no certificate authority yet: pulumi up makes it") : judge(at, facts);
  };
};

/** The CA certificates from the one that signs to the root, each once. */
function path({ caCert, certChain, rootCert }: CaCerts): string[] {
  const all = [caCert, ...splitChain(certChain), rootCert];
  return all.filter((pem, index) => all.findIndex((other) => same(other, pem)) === index);
}

/** Time left, as a person says it. */
export function timeLeft(until: Date, now: Date): string {
  const left = until.getTime() - now.getTime();
  const amount =
    Math.abs(left) > 2 * DAY
      ? `${Math.round(Math.abs(left) / DAY)} days`
      : `${Math.round(Math.abs(left) / 360_000) / 10} hours`;
  return left < 0 ? `ended ${amount} ago` : `${amount} left`;
}

export const certificates: Check[] = [
  {
    code: "IVM401",
    title: "the cluster has this stack's CA",
    why: "istiod signs with the secret cacerts. If that is another CA's, no host is believed, and no host believes istiod.",
    fix: "pulumi refresh && pulumi up",
    evaluate: ({ cluster, outputs }) => {
      if (!isAvailable(cluster)) return skipped("the cluster does not answer");
      const { cacerts } = cluster;
      if (outputs === undefined) {
        return cacerts === undefined
          ? ok("none yet")
          : error(
              "there is a secret istio-system/cacerts, and this stack did not make it",
              "kubectl -n istio-system get secret cacerts -o yaml, and delete it if nobody needs it",
            );
      }
      if (cacerts === undefined) return error("the secret istio-system/cacerts is gone");
      return same(cacerts.rootCert, outputs.rootCert)
        ? ok(new X509Certificate(outputs.rootCert).subject.replaceAll("\n", ", "))
        : error("the root certificate in istio-system/cacerts is not this stack's");
    },
  },
  {
    code: "IVM402",
    title: "the CA's chain leads to its root",
    why: "A chain with a gap, or in another order, is refused by every peer as signed by an unknown authority.",
    fix: "give ca.provided.certChain from the intermediate up to the root",
    evaluate: ofAuthority((at) => {
      const chain = path(at).map((pem) => new X509Certificate(pem));
      const broken = chain.findIndex((certificate, index) => {
        const issuer = chain[index + 1] ?? certificate;
        return !certificate.checkIssued(issuer) || !certificate.verify(issuer.publicKey);
      });
      if (broken === -1) return ok(`${chain.length} certificates`);
      const { subject } = chain[broken]!;
      return error(`"${subject.replaceAll("\n", ", ")}" is not signed by the certificate that follows it`);
    }),
  },
  {
    code: "IVM403",
    title: "every CA may sign what stands below it",
    why: "A path length that is too short makes peers refuse what the CA signs; a certificate that is no CA signs nothing.",
    fix: "issue the CA certificates anew: the root with a path length of 1 or more, the intermediate as a CA",
    evaluate: ofAuthority((at) =>
      // The one that signs certificates of workloads has no CA below itself, its issuer has one, and so on.
      each(
        path(at).flatMap((pem, below) => {
          const { subject, isCa, pathLength } = inspectCertificate(pem);
          if (!isCa) return [`"${subject}" is no CA`];
          return pathLength !== undefined && pathLength < below
            ? [`"${subject}" has a path length of ${pathLength}, but ${below} CAs stand below it`]
            : [];
        }),
        (problem) => error(problem),
      ),
    ),
  },
  {
    code: "IVM404",
    title: "the CA is valid for long enough",
    why: "When a CA ends, every certificate below it ends with it.",
    fix: "raise ca.rootValidityHours or ca.intermediateValidityHours and pulumi up, or give a new ca.provided",
    evaluate: ofAuthority((at, { now }) =>
      path(at).flatMap((pem) => {
        const { subject, notBefore, notAfter } = inspectCertificate(pem);
        if (notBefore > now) return error(`"${subject}" is not valid before ${notBefore.toISOString()}`);
        const left = `"${subject}": ${timeLeft(notAfter, now)}`;
        if (notAfter < now) return error(left);
        return notAfter.getTime() - now.getTime() < CA_WARNING_DAYS * DAY ? warning(left) : ok(left);
      }),
    ),
  },
  {
    code: "IVM405",
    title: "every namespace trusts this root",
    why: "Sidecars of pods take their root from the ConfigMap istio-ca-root-cert; an earlier Istio may have left another there.",
    fix: "kubectl -n NAMESPACE delete configmap istio-ca-root-cert; istiod writes it anew",
    evaluate: ({ cluster, outputs }) => {
      if (!isAvailable(cluster)) return skipped("the cluster does not answer");
      if (outputs === undefined) return skipped("nothing is installed yet");
      const others = Object.entries(cluster.rootCerts).filter(([, pem]) => !same(pem, outputs.rootCert));
      return each(others, ([namespace]) =>
        about(namespace, error(`istio-ca-root-cert of namespace ${namespace} holds another root`)),
      );
    },
  },
  {
    code: "IVM406",
    title: "your own CA's key belongs to its certificate",
    why: "istiod does not start with a key that does not fit, or makes a CA of its own.",
    fix: "pulumi config set --secret NAME < the key of ca.provided.caCert",
    evaluate: ({ local: { providedKeyFits } }) => {
      if (providedKeyFits === undefined) return skipped("the program makes the CA itself");
      return providedKeyFits
        ? ok()
        : error("the secret that ca.provided.caKey names is not the key of ca.provided.caCert");
    },
  },
  {
    code: "IVM407",
    title: "each host has its own identity",
    why: "Peers expect the host's SPIFFE ID; istiod refuses to renew a certificate for another one.",
    fix: "pulumi up --target-replace, or set healDrift: true and pulumi up",
    evaluate: (facts) =>
      eachHost(facts, ({ name, inspection: { joined } }) => {
        const wanted = facts.outputs?.meshHosts[name]?.identity;
        if (joined?.certChain === undefined || wanted === undefined) return skipped(`${name} is not joined`);
        const { uris } = inspectCertificate(joined.certChain);
        return uris.length === 1 && uris[0] === wanted
          ? ok(wanted)
          : error(`${name}: its certificate is for ${uris.join(", ") || "nobody"}, not ${wanted}`);
      }),
  },
  {
    code: "IVM408",
    title: "each host's certificate is being renewed",
    why: "The agent renews at half of the lifetime. One with less than a fifth left was not renewed; when it ends, every connection is refused.",
    fix: "npx istio-vm explain",
    evaluate: (facts) =>
      eachHost(facts, ({ name, inspection: { joined } }) => {
        if (joined?.certChain === undefined) return skipped(`${name} is not joined`);
        const { notBefore, notAfter } = inspectCertificate(joined.certChain);
        const left = `${name}: ${timeLeft(notAfter, facts.now)}`;
        if (notAfter < facts.now) return error(left);
        const rest = (notAfter.getTime() - facts.now.getTime()) / (notAfter.getTime() - notBefore.getTime());
        return rest < 0.2 ? warning(left) : ok(left);
      }),
  },
  {
    code: "IVM409",
    title: "each host trusts this root",
    why: "A host with another root refuses istiod and every peer.",
    fix: "set healDrift: true and pulumi up, or destroy the host and join it anew",
    evaluate: (facts) =>
      eachHost(facts, ({ name, inspection: { joined } }) => {
        if (joined?.rootCert === undefined || facts.outputs === undefined) return skipped(`${name} is not joined`);
        const { rootCert } = facts.outputs;
        return splitChain(joined.rootCert).some((pem) => same(pem, rootCert))
          ? ok()
          : error(`${name}: /etc/certs/root-cert.pem is not this stack's root`);
      }),
  },
];
