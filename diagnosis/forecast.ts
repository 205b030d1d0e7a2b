/** What ends when, what renews it, and which hosts would miss that. */
import { X509Certificate } from "node:crypto";
import { readCertificate, type Certificate } from "./checks/authority";
import { hostConfig, isGone, wasInspected } from "./checks/check";
import { isUnrenewed, returnsUntilSaid } from "./checks/identities";
import { type ClusterFacts, type HostFacts, isOurs, isUnavailable, type Outputs, type Unavailable } from "./facts";
import type { Joined } from "./inspection";
import type { Health } from "./status";
import { type Config, isInstalled } from "../config";
import { signs } from "../config/caCertificate";
import { splitChain } from "../mesh/certificates";

type CaCerts = NonNullable<ClusterFacts["cacerts"]>;
/** The CA in PEM with which istiod or the stack signs; of a mesh that others have made, perhaps only its roots. */
export type AuthorityFacts = Pick<CaCerts, "rootCert"> & Partial<CaCerts>;

/** `from`: from then on, if it runs then. `until`: the end of the next one, which the mesh has already. */
export type Renewal =
  | { by: "pulumi up"; from: Date }
  | { by: "agent" }
  | { by: "successor"; until: Date }
  | { by: "nobody"; instead: string };

/** A certificate that ends. */
export interface Ending {
  /** error: it has ended, and is in use; warning: somebody would miss that it is renewed, or nobody renews it. */
  health: Health;
  /** Of the CA; what a host was sent to prove its identity; the certificate of a day of such a host, or of one by a token. */
  kind: "root" | "intermediate" | "sent" | "day" | "token";
  /** The subject of a CA, else the name of the host. */
  of: string;
  /** Undefined for a host by a token that can't be asked: if it is off, within a day. */
  ends?: Date;
  renewal: Renewal;
  /** The hosts that could not take the next one, as things are now. */
  missedBy: { host: string; why: string }[];
}

/** What a forecast tells, by the clock of this machine. */
export interface Forecast {
  at: Date;
  until: Date;
  /** What has ended or ends until then, the first first. */
  endings: Ending[];
  /** What ends first after that, but for what agents renew each day. */
  next?: Ending;
  /** What could not be read. */
  unread: { what: string; problem: string }[];
}

/** A host that this stack has joined, with what it holds; of one that can't be asked nothing is known. */
interface Member {
  name: string;
  byToken: boolean;
  joined?: Joined;
  roots: Certificate[];
  /** What it was sent, and the certificate of a day that its agent has: each with its issuers. */
  sent: Certificate[];
  day: Certificate[];
}

/** The CA, with what hosts have of it. */
interface Authorities {
  roots: Certificate[];
  /** What stands below the roots, as istiod has it or has given it to hosts within a day. */
  intermediates: Certificate[];
  /** The certificate below the root, by which one tells a root that is in use. */
  top?: Certificate;
}

const HOUR = 3_600_000;
const earlier = (date: Date, hours: number) => new Date(date.getTime() - hours * HOUR);
const certificates = (text = "") => splitChain(text).flatMap((pem) => readCertificate(pem) ?? []);
const isSame = (one: Certificate) => (other: Certificate) => one.fingerprint === other.fingerprint;
const once = (all: Certificate[]) => all.filter((one, index) => all.findIndex(isSame(one)) === index);
const parsed = ({ pem }: Certificate) => new X509Certificate(pem);
const isSelfIssued = (certificate: Certificate) => parsed(certificate).subject === parsed(certificate).issuer;
const belowRoot = (chain: Certificate[]) => chain.filter((one) => !isSelfIssued(one));
/** What the root has signed; istiod may sign with the root itself. */
const topOf = (chain: Certificate[]) => belowRoot(chain).at(-1) ?? chain.at(-1);
const carried = new Map<string, boolean>();

/** Whether a root has signed what stands below it, each pair judged once; of nothing known it may be. */
function carries(root: Certificate, top: Certificate | undefined): boolean {
  if (top === undefined) return true;
  const pair = `${root.fingerprint} ${top.fingerprint}`;
  if (!carried.has(pair)) carried.set(pair, signs(parsed(root), parsed(top)));
  return carried.get(pair)!;
}

function problemOf(text: string | undefined): string | undefined {
  const blocks = splitChain(text ?? "");
  if (!text) return "it is not there";
  return blocks.length > 0 && blocks.every((pem) => readCertificate(pem) !== undefined)
    ? undefined
    : "it is no certificate";
}

type Stack = { config: Config; owner?: string; outputs?: Outputs };

function memberOf(host: HostFacts, { config, owner, outputs }: Stack): Member[] {
  const { name } = host;
  const byToken = hostConfig(config, name).identity === "token";
  if (!wasInspected(host)) {
    const isKnown = !isGone(host) && outputs?.meshHosts[name] !== undefined;
    return isKnown ? [{ name, byToken, roots: [], sent: [], day: [] }] : [];
  }
  const { joined } = host.inspection;
  if (joined === undefined || !isOurs(joined, { owner })) return [];
  const { rootCert, sentChain, certChain } = joined;
  const held = { roots: certificates(rootCert), sent: certificates(sentChain), day: certificates(certChain) };
  return [{ name, byToken, joined, ...held }];
}

type Texts = [what: string, text: string | undefined][];
const unreadable = (texts: Texts): Forecast["unread"] =>
  texts.flatMap(([what, text]) => {
    const problem = problemOf(text);
    return problem === undefined ? [] : [{ what, problem }];
  });

function unreadOfAuthority(authority: AuthorityFacts | Unavailable): Forecast["unread"] {
  if (isUnavailable(authority)) return [{ what: "the mesh's CA", problem: authority.problem }];
  const { rootCert, ...below } = authority;
  const signing: Texts = [
    ["ca-cert.pem of the CA", below.caCert],
    ["cert-chain.pem of the CA", below.certChain],
  ];
  return unreadable([["the mesh's roots", rootCert], ...("caCert" in below ? signing : [])]);
}

const unasked = (host: HostFacts): Forecast["unread"] =>
  wasInspected(host) || isGone(host)
    ? []
    : [{ what: host.name, problem: `it could not be asked: ${host.failure.message}` }];

function unreadOfMember({ name, byToken, joined }: Member): Forecast["unread"] {
  if (joined === undefined) return [];
  const sent: Texts = byToken ? [] : [[`${name}: what it was sent`, joined.sentChain]];
  return unreadable([[`${name}: its roots`, joined.rootCert], [`${name}: its certificate`, joined.certChain], ...sent]);
}

function authoritiesOf(authority: AuthorityFacts | Unavailable, members: Member[]): Authorities {
  const { rootCert = "", caCert, certChain } = isUnavailable(authority) ? {} : authority;
  const path = [...certificates(caCert), ...certificates(certChain)];
  const issuers = members.flatMap(({ day }) => day.slice(1));
  const top = [path, ...members.map(({ day }) => day)].map(topOf).find((found) => found !== undefined);
  return { roots: certificates(rootCert), intermediates: belowRoot(once([...path, ...issuers])), top };
}

/** What renews a certificate of the CA that the mesh has. */
function renewalOfCa({ ca, ...config }: Config, { notBefore, notAfter }: Certificate): Renewal {
  if (ca !== undefined && "provided" in ca) return { by: "nobody", instead: "give ca.provided another one (IVM404)" };
  if (!isInstalled(config)) return { by: "nobody", instead: "whoever owns the mesh must" };
  // Not before half of its life (components/certificateAuthority.ts).
  const half = (notAfter.getTime() - notBefore.getTime()) / 2 / HOUR;
  return { by: "pulumi up", from: earlier(notAfter, Math.min(ca!.earlyRenewalHours, half)) };
}

/** A certificate of the CA that the mesh has, or that hosts still have. @param successors which may take its place */
function caRenewal(
  config: Config,
  certificate: Certificate,
  ofMesh: Certificate[],
  successors: Certificate[],
  now: Date,
): Renewal {
  const last = Math.max(...successors.map(({ notAfter }) => notAfter.getTime()));
  if (last > certificate.notAfter.getTime()) return { by: "successor", until: new Date(last) };
  // What is the mesh's no more, an update replaces on hosts.
  const isOfMesh = ofMesh.length === 0 || ofMesh.some(isSame(certificate));
  return isOfMesh ? renewalOfCa(config, certificate) : { by: "pulumi up", from: now };
}

const CANT_BE_ASKED = "can't be asked";
const HAS_NO_OTHER = "has no other";

/** Who misses the renewal of a CA's certificate. @param held what a host has in its place, undefined if it has no part */
function missedCa(
  { notAfter }: Certificate,
  renewal: Renewal,
  members: Member[],
  held: (member: Member) => Certificate[] | undefined,
): Ending["missedBy"] {
  return members.flatMap((member) => {
    const { name: host, joined } = member;
    if (joined === undefined) return [{ host, why: CANT_BE_ASKED }];
    const others = held(member);
    const takes = others === undefined || renewal.by === "pulumi up" || others.some((one) => one.notAfter > notAfter);
    return takes ? [] : [{ host, why: HAS_NO_OTHER }];
  });
}

type Unjudged = Omit<Ending, "health">;

function rootEndings(config: Config, { roots, top }: Authorities, members: Member[], now: Date): Unjudged[] {
  const all = once([...roots, ...members.flatMap((member) => member.roots)]);
  const inUse = (root: Certificate) =>
    carries(root, top) || members.some(({ day }) => carries(root, topOf(day) ?? top));
  return all.filter(inUse).map((root) => {
    const successors = roots.filter((one) => carries(one, top));
    const renewal = caRenewal(config, root, roots, successors, now);
    const missedBy = missedCa(root, renewal, members, (member) => {
      const below = topOf(member.day) ?? top;
      return carries(root, below) ? member.roots.filter((one) => carries(one, below)) : undefined;
    });
    return { kind: "root", of: root.subject, ends: root.notAfter, renewal, missedBy };
  });
}

function intermediateEndings(config: Config, { intermediates }: Authorities, members: Member[], now: Date): Unjudged[] {
  // An agent gets those of a day anew, what was sent stays.
  const bySent = members.filter(({ byToken }) => !byToken);
  const all = belowRoot(once([...intermediates, ...bySent.flatMap(({ sent }) => sent.slice(1))]));
  return all.map((one) => {
    const isNamesake = ({ subject }: Certificate) => subject === one.subject;
    const renewal = caRenewal(config, one, intermediates, intermediates.filter(isNamesake), now);
    const missedBy = missedCa(one, renewal, bySent, ({ sent }) =>
      sent.some(isSame(one)) ? sent.filter(isNamesake) : undefined,
    );
    return { kind: "intermediate", of: one.subject, ends: one.notAfter, renewal, missedBy };
  });
}

/** What a host was sent; of one that can't be asked, as the stack has it. */
function sentEnding({ config, outputs }: Stack, { name, byToken, joined, sent }: Member): Unjudged[] {
  const ends = joined === undefined ? returnsUntilSaid(outputs, name) : sent[0]?.notAfter;
  if (byToken || ends === undefined) return [];
  const renewal: Renewal = { by: "pulumi up", from: earlier(ends, config.workloadCertificate.earlyRenewalHours) };
  const missedBy = joined === undefined ? [{ host: name, why: CANT_BE_ASKED }] : [];
  return [{ kind: "sent", of: name, ends, renewal, missedBy }];
}

function whyUnrenewed({ connected }: Joined, certificate: Certificate, now: Date): string | undefined {
  if (!connected) return "does not reach istiod";
  return isUnrenewed(certificate, now) ? "its agent did not renew it in time" : undefined;
}

/** The certificate of a day that a host's agent has. */
function dayEnding({ name, byToken, joined, day: [own] }: Member, now: Date): Unjudged[] {
  const kind = byToken ? "token" : "day";
  if (joined === undefined) {
    const missedBy = [{ host: name, why: CANT_BE_ASKED }];
    return byToken ? [{ kind, of: name, renewal: { by: "agent" }, missedBy }] : [];
  }
  if (own === undefined) return [];
  // A token is spent: only another one helps.
  if (byToken && own.notAfter <= now)
    return [{ kind, of: name, ends: own.notAfter, renewal: { by: "pulumi up", from: now }, missedBy: [] }];
  const why = whyUnrenewed(joined, own, now);
  const missedBy = why === undefined ? [] : [{ host: name, why }];
  return [{ kind, of: name, ends: own.notAfter, renewal: { by: "agent" }, missedBy }];
}

function judged(ending: Unjudged, now: Date): Ending {
  const { ends, renewal, missedBy } = ending;
  const isMissed = missedBy.length > 0 || renewal.by === "nobody";
  const hasEnded = ends !== undefined && ends <= now;
  const isInUse = isMissed || renewal.by !== "successor";
  return { ...ending, health: hasEnded && isInUse ? "error" : isMissed ? "warning" : "ok" };
}

/** For sorting: what may end at any time is first. */
const timeOf = ({ ends }: Ending) => ends?.getTime() ?? -Infinity;
/** What goes on by itself, day by day. */
export const isRolling = ({ health, renewal }: Ending) => health === "ok" && renewal.by === "agent";

/** What ends until then in a mesh, and what has ended that is still in use. */
export function forecast(
  stack: Stack,
  facts: HostFacts[],
  authority: AuthorityFacts | Unavailable,
  now: Date,
  until: Date,
): Forecast {
  const members = facts.flatMap((host) => memberOf(host, stack));
  const authorities = authoritiesOf(authority, members);
  const all = [
    ...rootEndings(stack.config, authorities, members, now),
    ...intermediateEndings(stack.config, authorities, members, now),
    ...members.flatMap((member) => [...sentEnding(stack, member), ...dayEnding(member, now)]),
  ]
    .map((ending) => judged(ending, now))
    .filter((ending) => timeOf(ending) > now.getTime() || ending.health !== "ok")
    .sort((one, other) => timeOf(one) - timeOf(other) || 0);
  const isWithin = (ending: Ending) => timeOf(ending) <= until.getTime();
  return {
    at: now,
    until,
    endings: all.filter(isWithin),
    next: all.find((ending) => !isWithin(ending) && !isRolling(ending)),
    unread: [...unreadOfAuthority(authority), ...facts.flatMap(unasked), ...members.flatMap(unreadOfMember)],
  };
}
