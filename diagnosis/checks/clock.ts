import { caPath, type Certificate, readCertificate } from "./authority";
import { type Check, error, ofCluster, ofHosts, ok, skipped, type Verdict, warning } from "./check";
import { duration } from "./duration";

/** Seconds of difference that are worth a word. Less is the time that asking takes. */
const NOTABLE = 5;
/**
 * Seconds of difference beyond which certificates break: istiod dates a certificate two minutes back
 * (security/pkg/pki/util), and join waits for a minute at most (host/check.sh).
 */
const LARGE = 60;
/** Seconds after which a kubelet's lease is stale: it is renewed every ten (kubernetes.io/docs/concepts/architecture/leases). */
const LEASE = 40;

/** An offset as a person says it. */
export const offsetText = (seconds: number) =>
  Math.abs(seconds) < 1 ? "right to the second" : `${duration(seconds)} ${seconds > 0 ? "ahead" : "behind"}`;

/** How bad it is that clocks differ by so many seconds. */
export function offsetResult(seconds: number): "ok" | "warning" | "error" {
  if (Math.abs(seconds) <= NOTABLE) return "ok";
  return Math.abs(seconds) > LARGE ? "error" : "warning";
}

function judge(whose: string, offset: number): Verdict[] {
  const result = offsetResult(offset);
  const words = `${whose} is ${offsetText(offset)}`;
  return [{ result, message: result === "ok" ? words : `${words} of this machine's` }];
}

const SYNCHRONIZE = "timedatectl set-ntp true";

export const clock: Check[] = [
  {
    code: "IVM501",
    title: "the API server's clock agrees with this machine's",
    why: "Certificates are dated by this machine and judged by the cluster: one that is not valid yet there stops istiod.",
    fix: `on whichever is wrong: ${SYNCHRONIZE}`,
    evaluate: ofCluster(["clockOffset"], ({ clockOffset }) => judge("the API server's clock", clockOffset)),
  },
  {
    code: "IVM502",
    title: "the nodes' clocks agree with the API server's",
    why: "istiod signs by the clock of its node. Seen by the leases that kubelets renew every ten seconds.",
    fix: `on the node: ${SYNCHRONIZE}`,
    evaluate: ofCluster(["nodes", "leases", "clockOffset"], ({ nodes, leases, clockOffset }) => {
      const ready = nodes.filter((node) => node.ready);
      if (ready.length === 0) return skipped("no node is ready (IVM308)");
      return ready.flatMap(({ name }) => {
        const lease = leases.find(({ node }) => node === name);
        if (lease === undefined) return skipped(`${name} has no lease`);
        const ahead = -lease.age - clockOffset;
        if (ahead > NOTABLE) {
          const words = `the clock of ${name} is ${offsetText(ahead)} of the API server's`;
          return ahead > LARGE ? error(words) : warning(words);
        }
        return ahead < -LEASE
          ? warning(`${name} renewed its lease ${duration(ahead)} ago: its clock is behind, or it hangs`)
          : ok(name);
      });
    }),
  },
  {
    code: "IVM503",
    title: "each host's clock agrees with this machine's",
    why: 'Clocks that disagree are what "certificate has expired or is not yet valid" comes from.',
    fix: `on the host: ${SYNCHRONIZE}`,
    evaluate: ofHosts(({ name, clockOffset }) => judge(`${name}: its clock`, clockOffset)),
  },
  {
    code: "IVM504",
    title: "no certificate lies in a host's future",
    why: "A host refuses a certificate that is not valid yet by its own clock: its own, or the CA's.",
    fix: `on the host: ${SYNCHRONIZE}`,
    evaluate: byHostsClock(({ notBefore }, at) =>
      at < notBefore ? `is not valid before ${notBefore.toISOString()}` : undefined,
    ),
  },
  {
    code: "IVM505",
    title: "no certificate has ended by a host's clock",
    why: "A host refuses a certificate that has ended by its own clock.",
    fix: "set the host's clock, or renew by pulumi up",
    evaluate: byHostsClock(({ notAfter }, at) => (at >= notAfter ? `ended ${notAfter.toISOString()}` : undefined)),
  },
  {
    code: "IVM506",
    title: "something keeps each host's clock right",
    why: "A clock that is right today drifts by seconds a day.",
    fix: `on the host: ${SYNCHRONIZE}`,
    evaluate: ofHosts(({ name, inspection: { clockSynchronized } }) => {
      if (clockSynchronized === undefined) return skipped(`${name} does not tell`);
      return clockSynchronized ? ok() : warning(`${name}: its clock is not synchronized by NTP`);
    }),
  },
];

/** Judges the host's certificate and the CA's by the host's clock. */
function byHostsClock(problem: (certificate: Certificate, at: Date) => string | undefined): Check["evaluate"] {
  return ofHosts(({ name, clockOffset, inspection: { joined } }, facts) => {
    const own = joined?.certChain === undefined ? undefined : readCertificate(joined.certChain);
    const certificates = [...(own === undefined ? [] : [own]), ...caPath(facts)];
    if (certificates.length === 0) return skipped("there is no certificate yet");
    const at = new Date(facts.now.getTime() + clockOffset * 1000);
    const found = certificates.flatMap((certificate) => {
      const words = problem(certificate, at);
      return words === undefined ? [] : [`"${certificate.subject || certificate.uris.join()}" ${words}`];
    });
    return found.length === 0
      ? ok()
      : error(`${name}: by its clock it is ${at.toISOString()}, but ${found.join(" and ")}`);
  });
}
