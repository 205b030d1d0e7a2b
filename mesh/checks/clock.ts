import { inspectCertificate } from "../certificates";
import { type Check, each, eachHost, error, ok, skipped, type Verdict, warning } from "./check";
import { isAvailable } from "./facts";

/** Seconds of difference that are worth a word. Less is the time that asking takes. */
const NOTABLE = 5;
/**
 * Seconds of difference beyond which certificates break: istiod dates a certificate two minutes back
 * (security/pkg/pki/util), and join waits for a minute at most (host/check.sh).
 */
const LARGE = 60;
/** Seconds after which a kubelet's lease is stale: it is renewed every ten (kubernetes.io/docs/concepts/architecture/leases). */
const LEASE = 40;

const amount = (seconds: number) =>
  Math.abs(seconds) < 120 ? `${Math.abs(seconds).toFixed(1)} s` : `${Math.round(Math.abs(seconds) / 60)} minutes`;

/** An offset as a person says it. */
export const offsetText = (seconds: number) =>
  Math.abs(seconds) < 1 ? "right to the second" : `${amount(seconds)} ${seconds > 0 ? "ahead" : "behind"}`;

function judge(whose: string, offset: number): Verdict[] {
  if (Math.abs(offset) <= NOTABLE) return ok(`${whose} is ${offsetText(offset)}`);
  const words = `${whose} is ${offsetText(offset)} of this machine's`;
  return Math.abs(offset) > LARGE ? error(words) : warning(words);
}

const SYNCHRONIZE = "timedatectl set-ntp true";

export const clock: Check[] = [
  {
    code: "IVM501",
    title: "the API server's clock agrees with this machine's",
    why: "Certificates are dated by this machine and judged by the cluster: one that is not valid yet there stops istiod.",
    fix: `on whichever is wrong: ${SYNCHRONIZE}`,
    evaluate: ({ cluster }) => {
      if (!isAvailable(cluster)) return skipped("the cluster does not answer");
      return cluster.clockOffset === undefined
        ? skipped("the API server does not tell its time")
        : judge("the API server's clock", cluster.clockOffset);
    },
  },
  {
    code: "IVM502",
    title: "the nodes' clocks agree with the API server's",
    why: "istiod signs by the clock of its node. Seen by the leases that kubelets renew every ten seconds.",
    fix: `on the node: ${SYNCHRONIZE}`,
    evaluate: ({ cluster, now }) => {
      if (!isAvailable(cluster)) return skipped("the cluster does not answer");
      const server = now.getTime() / 1000 + (cluster.clockOffset ?? 0);
      return each(
        cluster.nodes.filter(({ ready }) => ready),
        ({ name, renewed }) => {
          if (renewed === undefined) return skipped(`${name} has no lease`);
          const ahead = renewed.getTime() / 1000 - server;
          if (ahead > NOTABLE) return (ahead > LARGE ? error : warning)(`the clock of ${name} is ${offsetText(ahead)}`);
          return ahead < -LEASE
            ? warning(`${name} renewed its lease ${amount(ahead)} ago: its clock is behind, or it hangs`)
            : ok(name);
        },
      );
    },
  },
  {
    code: "IVM503",
    title: "each host's clock agrees with this machine's",
    why: 'Clocks that disagree are what "certificate has expired or is not yet valid" comes from.',
    fix: `on the host: ${SYNCHRONIZE}`,
    evaluate: (facts) => eachHost(facts, ({ name, clockOffset }) => judge(`${name}: its clock`, clockOffset)),
  },
  {
    code: "IVM504",
    title: "no certificate lies in a host's future",
    why: "A host refuses a certificate that is not valid yet by its own clock: its own, or the CA's.",
    fix: `on the host: ${SYNCHRONIZE}`,
    evaluate: (facts) =>
      judgeValidity(
        facts,
        (at, { notBefore }) => at < notBefore.getTime() && `not valid before ${notBefore.toISOString()}`,
      ),
  },
  {
    code: "IVM505",
    title: "no certificate has ended by a host's clock",
    why: "A host refuses a certificate that has ended by its own clock.",
    fix: "set the host's clock, or renew by pulumi up",
    evaluate: (facts) =>
      judgeValidity(facts, (at, { notAfter }) => at >= notAfter.getTime() && `ended ${notAfter.toISOString()}`),
  },
  {
    code: "IVM506",
    title: "something keeps each host's clock right",
    why: "A clock that is right today drifts by seconds a day.",
    fix: SYNCHRONIZE,
    evaluate: (facts) =>
      eachHost(facts, ({ name, inspection: { clockSynchronized } }) => {
        if (clockSynchronized === undefined) return skipped(`${name} does not tell`);
        return clockSynchronized ? ok() : warning(`${name}: its clock is not synchronized by NTP`);
      }),
  },
];

type Validity = { notBefore: Date; notAfter: Date };

/** Judges the host's certificate and the CA's by the host's clock. */
function judgeValidity(
  facts: Parameters<Check["evaluate"]>[0],
  wrong: (at: number, validity: Validity) => string | false,
): Verdict[] {
  const ca = isAvailable(facts.cluster) ? facts.cluster.cacerts : undefined;
  return eachHost(facts, ({ name, clockOffset, inspection: { joined } }) => {
    const chains = [joined?.certChain, ca?.caCert, ca?.rootCert].filter((pem) => pem !== undefined);
    if (chains.length === 0) return skipped("there is no certificate yet");
    const at = facts.now.getTime() + clockOffset * 1000;
    const found = chains.flatMap((pem) => {
      const { subject, uris, ...validity } = inspectCertificate(pem);
      const problem = wrong(at, validity);
      return problem === false ? [] : [`"${subject || uris.join()}" is ${problem}`.replace("is ended", "ended")];
    });
    return found.length === 0
      ? ok()
      : error(`${name}: by its clock it is ${new Date(at).toISOString()}, but ${found.join(" and ")}`);
  });
}
