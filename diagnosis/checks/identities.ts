/** Whether hosts have their identities, and keep them. */
import { HEAL } from "../advice";
import type { Config } from "../../config";
import { splitChain } from "../../mesh/certificates";
import { type Certificate, hasFingerprint, readCertificate } from "./authority";
import {
  type Check,
  error,
  hostConfig,
  isGone,
  ofAllHosts,
  ofJoined,
  ok,
  skipped,
  type Verdict,
  warning,
  wasInspected,
} from "./check";
import { timeLeft } from "./duration";
import { isOurs, type Outputs } from "../facts";
import type { Joined } from "../inspection";

/** The share of its life that a certificate has left when its agent, which renews at half of it, must have failed to. */
const UNRENEWED = 1 / 3;
const lifeLeft = ({ notBefore, notAfter }: Certificate, now: Date) =>
  (notAfter.getTime() - now.getTime()) / (notAfter.getTime() - notBefore.getTime());
/** Whether its agent should have renewed it. */
export const isUnrenewed = (certificate: Certificate, now: Date) => lifeLeft(certificate, now) < UNRENEWED;
const isByToken = (config: Config, name: string) => hostConfig(config, name).identity === "token";
const read = (pem: string | undefined) => (pem === undefined ? undefined : readCertificate(pem));

/**
 * Until when a host could come back by itself, were it off from now on: a token is spent, so it has its certificate of a
 * day; else what it was sent is kept. Undefined where that is not known.
 */
export function returnsUntil(config: Config, name: string, { certChain, sentChain }: Joined): Date | undefined {
  return read(isByToken(config, name) ? certChain : sentChain)?.notAfter;
}

/** The same of one that can't be asked, as far as the stack knows. */
export const returnsUntilSaid = (outputs: Outputs | undefined, name: string) => {
  const said = outputs?.meshHosts[name]?.returnsUntil;
  return said === undefined ? undefined : new Date(said);
};

/** What is wrong with how long a host's identity goes on, in a few words; nothing while it is renewed in time. */
export function renewalProblem(config: Config, name: string, joined: Joined, now: Date): string | undefined {
  const certificate = read(joined.certChain);
  const until = returnsUntil(config, name, joined);
  const lost = until !== undefined && until <= now;
  if (certificate !== undefined && certificate.notAfter <= now) {
    return `its identity has ended: ${lost ? "pulumi up gives it a new one" : "istio-vm doctor (IVM408)"}`;
  }
  if (lost) return "what it was sent has ended: pulumi up sends it a new one";
  return certificate !== undefined && isUnrenewed(certificate, now)
    ? "its identity ends soon and is not renewed: does it reach istiod?"
    : undefined;
}

export const identities: Check[] = [
  {
    code: "IVM407",
    title: "each host has its own identity",
    why: "Peers expect the host's SPIFFE ID; istiod refuses to renew a certificate for another one.",
    fix: `on the host: rm /etc/certs/cert-chain.pem; then ${HEAL}`,
    evaluate: ofJoined(({ certChain }, { name }, { outputs }) => {
      const wanted = outputs?.meshHosts[name]?.identity;
      if (wanted === undefined) return skipped(`the identity of ${name} is not known yet`);
      if (certChain === undefined) return skipped(`${name} has no certificate (IVM723)`);
      const certificate = readCertificate(certChain);
      if (certificate === undefined) return error(`${name}: /etc/certs/cert-chain.pem is no certificate`);
      const { uris } = certificate;
      return uris.length === 1 && uris[0] === wanted
        ? ok(wanted)
        : error(`${name}: its certificate is for ${uris.join(", ") || "nobody"}, not ${wanted}`);
    }),
  },
  {
    code: "IVM408",
    title: "each host's certificate is being renewed",
    why: "The agent renews at half of the lifetime. One with less than a third left was not renewed; when it ends, every connection is refused.",
    fix: "npx istio-vm explain",
    evaluate: ofJoined(({ certChain }, { name }, { now, config }) => {
      if (isByToken(config, name)) return ok(); // IVM410
      const certificate = read(certChain);
      if (certificate === undefined) return skipped(`${name} has no certificate (IVM407, IVM723)`);
      const left = `${name}: its certificate: ${timeLeft(certificate.notAfter, now)}`;
      if (certificate.notAfter <= now)
        return error(left, `npx istio-vm explain says why; ${HEAL} restarts its sidecar`);
      return isUnrenewed(certificate, now) ? warning(left) : ok(left);
    }),
  },
  {
    code: "IVM409",
    title: "each host trusts this root",
    why: "A host with another root refuses istiod and every peer.",
    fix: `on the host: rm /etc/certs/root-cert.pem; then ${HEAL}`,
    evaluate: ofJoined(({ rootCert }, { name }, { outputs }) => {
      if (outputs === undefined) return skipped("this stack's root is not known yet");
      if (rootCert === undefined) return skipped(`${name} has no root certificate (IVM723)`);
      return splitChain(rootCert).some((pem) => hasFingerprint(pem, outputs.rootFingerprint))
        ? ok()
        : error(`${name}: /etc/certs/root-cert.pem is not this stack's root`);
    }),
  },
  {
    code: "IVM410",
    title: "the identity of each host with a token goes on",
    why: "Its agent renews the certificate by the one that it has, at half of its life. Once that has ended, only a new token helps, which pulumi up asks for.",
    fix: "pulumi up gives it a new one",
    evaluate: ofJoined(({ certChain }, { name }, { now, config }) => {
      if (!isByToken(config, name)) return ok(); // IVM408
      const certificate = read(certChain);
      if (certificate === undefined) return skipped(`${name} has no certificate (IVM407, IVM723)`);
      const left = `${name}: its identity: ${timeLeft(certificate.notAfter, now)}`;
      if (certificate.notAfter <= now) return error(left);
      if (!isUnrenewed(certificate, now)) return ok(left);
      return warning(
        `${left}, and its agent should have renewed it at half of its life`,
        "npx istio-vm explain: does the host reach istiod? Once it has ended, pulumi up gives it a new one",
      );
    }),
  },
  {
    code: "IVM411",
    title: "each host comes back by itself when it was off",
    why: "What it was sent to prove its identity is kept there, and istiod takes it up to its end. Beyond that it gets no certificate, whether it was off or not. pulumi up sends a new one in time.",
    fix: "pulumi up, while the host can be reached",
    evaluate: ofAllHosts((host, { now, config, outputs, owner }): Verdict[] => {
      const { name } = host;
      if (isGone(host)) return skipped(`${name} is marked as gone`);
      const byToken = isByToken(config, name);
      if (!wasInspected(host)) {
        if (byToken) return skipped(`${name} could not be asked: after a day off, pulumi up gives it a new identity`);
        const until = returnsUntilSaid(outputs, name);
        if (until === undefined) return skipped(`${name} could not be asked`);
        return until > now
          ? skipped(`${name} could not be asked: it comes back by itself until ${until.toISOString()}`)
          : warning(
              `${name} could not be asked, and what it was sent ended on ${until.toISOString()}: it can't come back by itself`,
            );
      }
      const { joined } = host.inspection;
      if (joined === undefined || !isOurs(joined, { owner })) return skipped(`${name} is not joined by this stack`);
      if (byToken) return ok(); // IVM410
      const sent = read(joined.sentChain);
      if (sent === undefined) return skipped(`${name} does not have what it was sent (IVM723)`);
      const left = `${name}: what it was sent: ${timeLeft(sent.notAfter, now)}`;
      if (sent.notAfter <= now) return error(left);
      const window = config.workloadCertificate.earlyRenewalHours * 3_600_000;
      return sent.notAfter.getTime() - now.getTime() < Math.min(window, DUE) ? warning(left) : ok(left);
    }),
  },
];

/** Milliseconds before its end at which one should be reminded of what `pulumi up` renews for long already. */
const DUE = 30 * 24 * 3_600_000;
