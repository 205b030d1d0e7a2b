/** Whether an authority of one's own is one: certificates and a key that belong together, as istiod and proxies need them. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { inspectCertificate, splitChain } from "../mesh/certificates";
import { caProblems, nameOf, signs } from "./caCertificate";
import { signingKey } from "./caKey";

export interface ProvidedAuthority {
  rootCert: string;
  caCert: string;
  certChain: string;
  caKey: { secret: string };
}

/** The certificates of its texts. istiod reads the first of caCert only. */
interface Certificates {
  roots: X509Certificate[];
  ca: X509Certificate;
  chain: X509Certificate[];
}

/** A field of ca.provided and what is wrong with it. */
type Problem = [field: string, problem: string];

const read = (pem: string) => splitChain(pem).map((one) => new X509Certificate(one));
const isIn = (all: X509Certificate[], one: X509Certificate) => all.some(({ raw }) => raw.equals(one.raw));
const isSelfSigned = (certificate: X509Certificate) => signs(certificate, certificate);

/** Whether each of rootCert and caCert holds what belongs into the other. */
const isSwapped = ({ roots, ca }: Certificates) => isSelfSigned(ca) && !roots.some(isSelfSigned);

/** The way from the CA up to a root, as certChain has it; undefined if it has none. */
function wayUp({ roots, ca, chain }: Certificates): X509Certificate[] | undefined {
  const isJoined = isIn([ca], chain[0]!) && chain.slice(1).every((issuer, n) => signs(issuer, chain[n]!));
  const last = chain.at(-1)!;
  if (!isJoined || isIn(roots, last)) return isJoined ? chain : undefined;
  const root = roots.find((candidate) => signs(candidate, last));
  return root && [...chain, root];
}

/** The CA, who has signed it, who has signed that: as far as the certificates at hand go, whatever their order. */
function climb({ roots, ca, chain }: Certificates): X509Certificate[] {
  const way = [ca];
  for (let next: X509Certificate | undefined = ca; next !== undefined && !isIn(roots, next);) {
    const below: X509Certificate = next;
    next = [...chain, ...roots].find((other) => !isIn(way, other) && signs(other, below));
    if (next !== undefined) way.push(next);
  }
  return way;
}

/** Why certChain does not lead from the CA to a root. */
function chainProblem(certificates: Certificates): string {
  const { roots, ca, chain } = certificates;
  const way = climb(certificates);
  const top = way.at(-1)!;
  if (!isIn(roots, top)) {
    if (isSelfSigned(top)) return `leads to ${nameOf(top)}, which is not in rootCert: give that root there`;
    const issuer = JSON.stringify(top.issuer.replaceAll("\n", ", "));
    return [...chain, ...roots].some(({ subject }) => subject === top.issuer)
      ? `has ${nameOf(top)}, which is signed by ${issuer}, but by another key than that of the ${issuer} given`
      : `lacks ${issuer}, which has signed ${nameOf(top)}: put it behind that one; a root goes into rootCert`;
  }
  if (!isIn(chain, ca)) return `lacks caCert, ${nameOf(ca)}: put it at the beginning`;
  const foreign = chain.find((one) => !isIn(way, one));
  if (foreign !== undefined)
    return `has ${nameOf(foreign)}, which is not on the way from caCert to rootCert: leave it out`;
  const order = way.filter((one) => isIn(chain, one)).map(nameOf);
  return `is in another order than from caCert up to the root: ${order.join(", ")}`;
}

/** CAs that allow fewer CAs below them than there are. */
function lengthProblems(way: X509Certificate[], { roots }: Certificates): Problem[] {
  return way.flatMap((certificate, below): Problem[] => {
    const { pathLength = below } = inspectCertificate(certificate.toString());
    if (pathLength >= below) return [];
    const field = isIn(roots, certificate) ? "rootCert" : "certChain";
    return [[field, `${nameOf(certificate)} allows ${pathLength} CAs below it (path length), but there are ${below}`]];
  });
}

function keyProblem(ca: X509Certificate, text: string): string | undefined {
  try {
    const key = createPrivateKey(signingKey(text));
    return ca.checkPrivateKey(key) ? undefined : `is not the key of caCert, ${nameOf(ca)}`;
  } catch (error) {
    return (error as Error).message;
  }
}

function certificateProblems(certificates: Certificates, now: Date): Problem[] {
  const { roots, ca, chain } = certificates;
  const others = chain.filter((other) => !isIn([ca, ...roots], other));
  const way = wayUp(certificates);
  const of = (field: string, problems: string[]) => problems.map((problem): Problem => [field, problem]);
  return [
    ...of(
      "rootCert",
      roots.flatMap((root) => caProblems(root, now, { isRoot: true })),
    ),
    ...of("caCert", isIn(roots, ca) ? [] : caProblems(ca, now)),
    ...of(
      "certChain",
      others.flatMap((other) => caProblems(other, now)),
    ),
    ...(way === undefined ? of("certChain", [chainProblem(certificates)]) : lengthProblems(way, certificates)),
  ];
}

/**
 * What of an authority does not fit, each with its path.
 *
 * @param key the secret's text, which is never part of the words; undefined if there is none
 */
export function authorityProblems(
  { rootCert, caCert, certChain, caKey }: ProvidedAuthority,
  key: string | undefined,
  now = new Date(),
): string[] {
  const certificates = { roots: read(rootCert), ca: read(caCert)[0]!, chain: read(certChain) };
  const { ca, roots } = certificates;
  if (isSwapped(certificates)) {
    const [intermediate] = roots;
    return [
      `ca.provided: rootCert and caCert are swapped: rootCert has ${nameOf(intermediate!)}, caCert the root, ${nameOf(ca)}`,
    ];
  }
  const problem = key === undefined ? undefined : keyProblem(ca, key);
  return [
    ...certificateProblems(certificates, now),
    ...(problem === undefined ? [] : [["caKey.secret", `the secret "${caKey.secret}" ${problem}`]]),
  ].map(([field, words]) => `ca.provided.${field}: ${words}`);
}
