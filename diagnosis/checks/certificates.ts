import { X509Certificate } from "node:crypto";
import { isInstalled } from "../../config";
import { signs } from "../../config/caCertificate";
import { authority, caPath, type Certificate, hasFingerprint, unreadable } from "./authority";
import {
  about,
  type Check,
  type Configured,
  each,
  error,
  ofCluster,
  ofConfig,
  ok,
  skipped,
  type Verdict,
  warning,
} from "./check";
import { timeLeft } from "./duration";
import { isAvailable, isOurs } from "../facts";

const DAY = 24 * 3600 * 1000;
/** Days before the end of a CA at which one should think of the next. */
const CA_WARNING_DAYS = 30;

/** How a CA is renewed while the mesh goes on; test/cli/renewing.ts does it. */
const RENEW =
  "pulumi up makes it anew for the same key; a new key: a higher ca.root or ca.intermediate (README, Another CA)";
const RENEW_PROVIDED = "give ca.provided another one, which takes its place step by step (README, Another CA)";

/** A check of the CA's certificates, from the one that signs to the root. */
function ofAuthority(judge: (path: Certificate[], facts: Configured) => Verdict[]): Check["evaluate"] {
  return ofConfig((facts) => {
    const path = caPath(facts);
    if (path.length > 0) return judge(path, facts);
    const { cluster } = facts;
    if (authority(facts) === undefined && !isInstalled(facts.config)) return skipped(NOT_OURS);
    if (authority(facts) === undefined && (!isAvailable(cluster) || !isAvailable(cluster.cacerts))) {
      return skipped("the certificate authority could not be read (IVM301, IVM303)");
    }
    return skipped(
      authority(facts) === undefined
        ? "there is no certificate authority yet: pulumi up makes it"
        : "the certificate authority can't be read (IVM402)",
    );
  });
}

/** Of what only the stack's own CA can be judged by. */
const NOT_OURS = "the certificate authority is the existing mesh's";

export const authorities: Check[] = [
  {
    code: "IVM401",
    title: "the cluster has this stack's CA",
    why: "istiod signs with the secret cacerts. If that is another CA's, no host is believed, and no host believes istiod.",
    fix: "pulumi refresh && pulumi up",
    evaluate: ofCluster(["cacerts"], ({ cacerts }, facts) => {
      const { outputs } = facts;
      if (!isInstalled(facts.config)) return skipped(NOT_OURS);
      if (outputs === undefined) {
        if (cacerts === undefined) return ok("none yet");
        // The first update was cut off after it.
        return isOurs(cacerts, facts)
          ? ok()
          : error(
              "there is a secret istio-system/cacerts, and this stack did not make it",
              "kubectl -n istio-system describe secret cacerts; if nobody needs it, delete it",
            );
      }
      if (cacerts === undefined) return error("the secret istio-system/cacerts is gone");
      return hasFingerprint(cacerts.rootCert, outputs.rootFingerprint)
        ? ok()
        : error("the root certificate in istio-system/cacerts is not this stack's");
    }),
  },
  {
    code: "IVM402",
    title: "the CA's chain leads to its root",
    why: "A chain with a gap, or in another order, is refused by every peer as signed by an unknown authority.",
    fix: "give ca.provided.certChain from the intermediate up to the root; without ca.provided: pulumi refresh && pulumi up",
    evaluate: (facts) => {
      const at = authority(facts);
      const bad = at && unreadable(at);
      return bad === undefined ? judgeChain(facts) : error(`${bad} of the certificate authority is no certificate`);
    },
  },
  {
    code: "IVM403",
    title: "every CA may sign what stands below it",
    why: "A path length that is too short makes peers refuse what the CA signs; a certificate that is no CA signs nothing.",
    fix: "issue the CA certificates anew: the root with a path length of 1 or more, the intermediate as a CA",
    evaluate: ofAuthority((path) =>
      // The one that signs certificates of workloads has no CA below itself, its issuer has one, and so on.
      each(
        path.flatMap(({ subject, isCa, pathLength }, below) => {
          if (!isCa) return [`"${subject}" is no CA`];
          return pathLength !== undefined && pathLength < below
            ? [`"${subject}" has a path length of ${pathLength}, but it takes ${below} for what stands below it`]
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
    fix: RENEW,
    evaluate: ofAuthority((path, { now, config: { ca } }) =>
      path.flatMap(({ subject, notBefore, notAfter }) => {
        if (notBefore > now) {
          const clocks = "see IVM501 to IVM504: a clock is wrong, or wait";
          return error(`"${subject}" is not valid before ${notBefore.toISOString()}`, clocks);
        }
        const left = `"${subject}": ${timeLeft(notAfter, now)}`;
        const fix = ca !== undefined && "provided" in ca ? RENEW_PROVIDED : RENEW;
        if (notAfter <= now) return error(left, fix);
        return notAfter.getTime() - now.getTime() < CA_WARNING_DAYS * DAY ? warning(left, fix) : ok(left);
      }),
    ),
  },
  {
    code: "IVM405",
    title: "every namespace trusts this root",
    why: "Sidecars of pods take their root from the ConfigMap istio-ca-root-cert; an earlier Istio may have left another there.",
    fix: "kubectl -n istio-system rollout restart deployment istiod, which writes it anew as it starts",
    evaluate: ofCluster(["rootCerts"], ({ rootCerts }, { outputs }) => {
      if (outputs === undefined) return skipped("nothing is installed yet");
      const others = rootCerts.filter(({ pem }) => !hasFingerprint(pem, outputs.rootFingerprint));
      return each(others, ({ namespace }) =>
        about(namespace, error(`istio-ca-root-cert of namespace ${namespace} holds another root`)),
      );
    }),
  },
  {
    code: "IVM406",
    title: "your own CA's key belongs to its certificate",
    why: "istiod does not start with a key that does not fit, or makes a CA of its own.",
    fix: "pulumi config set --secret NAME < FILE, with the key of ca.provided.caCert",
    evaluate: ofConfig(({ config: { ca }, local: { providedKeyFits } }) => {
      if (ca === undefined) return skipped(NOT_OURS);
      if (!("provided" in ca)) return skipped("the program makes the CA itself");
      const { secret } = ca.provided.caKey;
      return providedKeyFits
        ? ok()
        : error(
            `the secret ${secret} is not the key of ca.provided.caCert`,
            `pulumi config set --secret ${secret} < FILE, with the key of ca.provided.caCert`,
          );
    }),
  },
];

const judgeChain = ofAuthority((path) => {
  const chain = path.map(({ pem }) => new X509Certificate(pem));
  // Of the root nobody looks at the signature: it is trusted, even where another has signed it.
  const broken = chain.slice(1).findIndex((issuer, below) => !signs(issuer, chain[below]!));
  return broken === -1
    ? ok(`${chain.length} certificates`)
    : error(`"${path[broken]!.subject}" is not signed by the certificate that follows it`);
});
