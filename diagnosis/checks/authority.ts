import { X509Certificate } from "node:crypto";
import { signs } from "../../config/caCertificate";
import { type CertificateFacts, fingerprint, inspectCertificate, splitChain } from "../../mesh/certificates";
import { type ClusterFacts, type Facts, isAvailable } from "../facts";

type CaCerts = NonNullable<ClusterFacts["cacerts"]>;

export type Certificate = CertificateFacts & { pem: string; fingerprint: string };

const known = new Map<string, Certificate | undefined>();

/**
 * Reads the first certificate of a PEM text; undefined for a text that is none: what lies in a cluster or on a host need
 * not be one. Each is read once, for that takes milliseconds, and every check asks for those of every host.
 */
export function readCertificate(pem: string): Certificate | undefined {
  if (!known.has(pem)) known.set(pem, attempt(pem));
  return known.get(pem);
}

function attempt(pem: string): Certificate | undefined {
  try {
    return { pem, fingerprint: fingerprint(pem), ...inspectCertificate(pem) };
  } catch {
    return undefined;
  }
}

/** Whether the text is the certificate with that fingerprint. */
export const hasFingerprint = (pem: string, wanted: string) => readCertificate(pem)?.fingerprint === wanted;

/** The certificate authority at hand: in the cluster, else in the configuration. Undefined before the first update. */
export function authority({ cluster, config }: Facts): CaCerts | undefined {
  if (isAvailable(cluster) && cluster.cacerts !== undefined && isAvailable(cluster.cacerts)) return cluster.cacerts;
  return config?.ca !== undefined && "provided" in config.ca ? config.ca.provided : undefined;
}

/** The first of the CA's texts that is no certificate, as Istio calls it. */
export function unreadable({ caCert, certChain, rootCert }: CaCerts): string | undefined {
  if (readCertificate(caCert) === undefined) return "ca-cert.pem";
  if (readCertificate(rootCert) === undefined) return "root-cert.pem";
  return splitChain(certChain).some((pem) => readCertificate(pem) === undefined) ? "cert-chain.pem" : undefined;
}

/** The CA's certificates from the one that signs to its root, each once; none, if there is no CA or it can't be read. */
export function caPath(facts: Facts): Certificate[] {
  const at = authority(facts);
  if (at === undefined || unreadable(at) !== undefined) return [];
  const readAll = (texts: string[]) => texts.flatMap((pem) => readCertificate(pem) ?? []);
  const path = readAll([at.caCert, ...splitChain(at.certChain)]);
  const roots = readAll(splitChain(at.rootCert));
  const top = path.at(-1)!;
  // Of several roots the one of this CA. The chain may hold it, or end below it.
  const root =
    roots.find(({ fingerprint }) => fingerprint === top.fingerprint) ??
    roots.find(({ pem }) => signs(new X509Certificate(pem), new X509Certificate(top.pem))) ??
    roots[0]!;
  const all = [...path, root];
  return all.filter((one, index) => all.findIndex((other) => other.fingerprint === one.fingerprint) === index);
}
