/** Whether an authority of one's own is one: certificates and a key that belong together, as istiod and proxies need them. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { inspectCertificate, splitChain } from "../mesh/certificates";
import { requirePrivateKeyBlock } from "./privateKey";

export interface ProvidedAuthority {
  rootCert: string;
  caCert: string;
  certChain: string;
  caKey: { secret: string };
}

const read = (pem: string) => splitChain(pem).map((one) => new X509Certificate(one));
const nameOf = ({ subject }: X509Certificate) => JSON.stringify(subject.replaceAll("\n", ", "));
const isSame = (a: X509Certificate, b: X509Certificate) => a.raw.equals(b.raw);

/** Whether `issuer` has signed `certificate`. */
function signs(issuer: X509Certificate, certificate: X509Certificate): boolean {
  try {
    return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
  } catch {
    return false; // of another kind of key than the signature
  }
}

/** What keeps a certificate from signing now. */
function ownProblems(certificate: X509Certificate, now: Date): string[] {
  const { isCa, notBefore, notAfter } = inspectCertificate(certificate.toString());
  const name = nameOf(certificate);
  return [
    ...(isCa ? [] : [`${name} is no CA: it may not sign certificates`]),
    ...(notAfter > now ? [] : [`${name} ended on ${notAfter.toISOString()}`]),
    ...(notBefore <= now ? [] : [`${name} begins only on ${notBefore.toISOString()}`]),
  ];
}

/** The way from the CA up to a root, or why there is none. */
function wayUp(ca: X509Certificate, chain: X509Certificate[], roots: X509Certificate[]): X509Certificate[] | string {
  const [first] = chain;
  if (!isSame(ca, first!)) {
    const turned = chain.some((other) => isSame(ca, other));
    return `begins with ${nameOf(first!)}, not with caCert, ${nameOf(ca)}${turned ? ": turn its order round" : ""}`;
  }
  for (const [n, issuer] of chain.slice(1).entries()) {
    if (!signs(issuer, chain[n]!)) return `${nameOf(issuer)} stands behind ${nameOf(chain[n]!)}, but has not signed it`;
  }
  const last = chain.at(-1)!;
  if (roots.some((root) => isSame(root, last))) return chain;
  const root = roots.find((candidate) => signs(candidate, last));
  if (root !== undefined) return [...chain, root];
  return `ends with ${nameOf(last)}, which none of rootCert has signed: an intermediate is missing, or the root is another`;
}

function keyProblem(ca: X509Certificate, text: string): string | undefined {
  try {
    const block = requirePrivateKeyBlock(text);
    if (block.includes("OPENSSH")) return "is a key for SSH, not for certificates";
    return ca.checkPrivateKey(createPrivateKey(block)) ? undefined : `is not the key of caCert, ${nameOf(ca)}`;
  } catch (error) {
    const { message, code } = error as Error & { code?: string };
    return code === undefined ? message : "is damaged: no key can be read from it";
  }
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
  const [roots, chain] = [read(rootCert), read(certChain)];
  const ca = read(caCert)[0]!;
  const others = chain.filter((other) => ![ca, ...roots].some((named) => isSame(named, other)));
  const found: [field: string, problems: string[]][] = [
    ["rootCert", roots.flatMap((root) => ownProblems(root, now))],
    ["caCert", roots.some((root) => isSame(root, ca)) ? [] : ownProblems(ca, now)],
    ["certChain", others.flatMap((other) => ownProblems(other, now))],
  ];
  const way = wayUp(ca, chain, roots);
  if (typeof way === "string") found.push(["certChain", [way]]);
  else {
    for (const [below, certificate] of way.entries()) {
      const { pathLength } = inspectCertificate(certificate.toString());
      if (pathLength === undefined || pathLength >= below) continue;
      const field = roots.some((root) => isSame(root, certificate)) ? "rootCert" : "certChain";
      found.push([
        field,
        [`${nameOf(certificate)} allows ${pathLength} CAs below it (path length), but there are ${below}`],
      ]);
    }
  }
  const wrong = key === undefined ? undefined : keyProblem(ca, key);
  if (wrong !== undefined) found.push(["caKey.secret", [`the secret "${caKey.secret}" ${wrong}`]]);
  return found.flatMap(([field, problems]) => problems.map((problem) => `ca.provided.${field}: ${problem}`));
}
