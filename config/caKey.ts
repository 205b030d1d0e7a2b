/** The key with which istiod signs, as it reads it, and the kinds of keys that a mesh's CA may have. */
import { createPrivateKey, type KeyObject } from "node:crypto";
import { type PemBlock, pemBlocks } from "../mesh/pem";
import { hasPassphrase, requirePrivateKeyBlock } from "./privateKey";

/** Of ECDSA what Go knows (crypto/x509, namedCurveFromOID), and BoringSSL too. */
const CURVES = ["secp224r1", "prime256v1", "secp384r1", "secp521r1"];
/** In the place of a curve's name: a curve that is written out, which Go does not read (id-prime-field, RFC 3279). */
const PRIME_FIELD = Buffer.from("06072a8648ce3d0101", "hex");
/** Of RSA, bits: Go verifies nothing by less (crypto/rsa, Minimum key size), and takes no more from a peer (crypto/tls). */
const [LEAST, MOST] = [1024, 8192];

/** What to do about a key of another kind. */
export const INSTEAD = "make a CA with ECDSA P-256 or P-384, RSA or Ed25519";

/** Why no istiod, agent or Envoy takes a key of this kind, public or private, as a CA's: the end of a sentence. */
export function kindProblem(key: KeyObject): string | undefined {
  const { namedCurve = "", modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case "ed25519":
      return undefined;
    case "rsa":
      return modulusLength >= LEAST && modulusLength <= MOST
        ? undefined
        : `of RSA with ${modulusLength} bits, and Istio takes ${LEAST} to ${MOST}: ${INSTEAD}`;
    case "ec":
      if (!CURVES.includes(namedCurve)) return `on the curve ${namedCurve}, which Istio does not know: ${INSTEAD}`;
      return derOf(key).includes(PRIME_FIELD)
        ? "of ECDSA with its curve written out, which Istio does not read: make a CA with a named curve"
        : undefined;
    default:
      return `of the kind ${key.asymmetricKeyType}, with which Istio does not sign: ${INSTEAD}`;
  }
}

const derOf = (key: KeyObject) =>
  key.type === "private" ? key.export({ type: "pkcs8", format: "der" }) : key.export({ type: "spki", format: "der" });

/**
 * What istiod reads, by its label (security/pkg/pki/util/crypto.go, ParsePemEncodedKey), and the tag of what follows the
 * version in it: PKCS#8 has a SEQUENCE there, PKCS#1 an INTEGER, SEC1 an OCTET STRING. OpenSSL reads each as any other.
 */
const FORMS: Record<string, number> = { "PRIVATE KEY": 0x30, "RSA PRIVATE KEY": 0x02, "EC PRIVATE KEY": 0x04 };

function tagBehindVersion(pem: string): number | undefined {
  const der = Buffer.from(pem.replace(/-----.*-----/g, ""), "base64");
  const length = der[1] ?? 0;
  return der[2 + (length < 0x80 ? 0 : length - 0x80) + 3];
}

/** @throws with the end of a sentence that says why it is none that istiod reads */
function readKey({ label, pem }: PemBlock): KeyObject {
  if (label === "OPENSSH PRIVATE KEY") {
    throw new Error("is in OpenSSH's form, which istiod does not read: ssh-keygen -p -m PEM -f COPY");
  }
  if (!(label in FORMS)) throw new Error(`is a ${label}, and istiod reads PKCS#8, PKCS#1 and SEC1 only`);
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    throw new Error("is damaged: no key can be read from it");
  }
  if (tagBehindVersion(pem) === FORMS[label]) return key;
  throw new Error(`is no ${label}, though it says so: openssl pkey -in KEY -out NEW`);
}

/**
 * The first private key of a text in the form in which istiod reads ca-key.pem: by itself, at the very beginning.
 *
 * @throws with the end of a sentence that says why it can't be used, and shows none of it
 */
export function signingKey(text: string): string {
  const block = requirePrivateKeyBlock(text);
  if (hasPassphrase(block))
    throw new Error("has a passphrase, which nobody gives istiod: openssl pkey -in KEY -out NEW");
  const normal = pemBlocks(block)[0]!;
  const problem = kindProblem(readKey(normal));
  if (problem !== undefined) throw new Error(`is a key ${problem}`);
  return normal.pem;
}
