/** Private keys: making them, reading them, and the encodings that the tls provider outputs. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, KeyObject } from "node:crypto";

export type KeyAlgorithm = "ECDSA" | "RSA";

/** Curves by the provider's name. */
export const CURVES = { P256: "prime256v1", P384: "secp384r1" } as const;

/** Makes a private key. `curve` is for ECDSA, `bits` for RSA. */
export function generateKey(algorithm: KeyAlgorithm, curve: keyof typeof CURVES, bits: number): KeyObject {
  return algorithm === "ECDSA"
    ? generateKeyPairSync("ec", { namedCurve: CURVES[curve] }).privateKey
    : generateKeyPairSync("rsa", { modulusLength: bits }).privateKey;
}

/** Reads a PEM: SEC1, PKCS#1 or PKCS#8. `what` names the input in the error, which never shows the key. */
export function parsePrivateKey(pem: string, what: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    throw new Error(`${what} is not a private key in PEM form (SEC1, PKCS#1 or PKCS#8, not encrypted)`);
  }
}

export function keyAlgorithm(key: KeyObject): KeyAlgorithm {
  switch (key.asymmetricKeyType) {
    case "ec":
      return "ECDSA";
    case "rsa":
      return "RSA";
    default:
      throw new Error(`keys of type ${key.asymmetricKeyType} are not implemented`);
  }
}

/** A key for signing with webcrypto, and the algorithm that Go's crypto/x509 chooses for such a key. */
export async function signingKeys(key: KeyObject): Promise<{ keys: CryptoKeyPair; algorithm: SigningAlgorithm }> {
  const algorithm = signingAlgorithm(key);
  const { subtle } = crypto;
  const der = { type: "pkcs8", format: "der" } as const;
  const privateKey = await subtle.importKey("pkcs8", key.export(der), algorithm, true, ["sign"]);
  const spki = createPublicKey(key).export({ type: "spki", format: "der" });
  const publicKey = await subtle.importKey("spki", spki, algorithm, true, ["verify"]);
  return { keys: { privateKey, publicKey }, algorithm };
}

export type SigningAlgorithm = { name: string; hash?: string; namedCurve?: string };

function signingAlgorithm(key: KeyObject): SigningAlgorithm {
  if (keyAlgorithm(key) === "RSA") return { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
  const curve = key.asymmetricKeyDetails?.namedCurve;
  if (curve === CURVES.P256) return { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  if (curve === CURVES.P384) return { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" };
  throw new Error(`the curve ${curve} is not implemented`);
}

/** The private key as the provider outputs it: each algorithm has its traditional form. */
export function privateKeyPem(key: KeyObject): string {
  return key.export({ type: keyAlgorithm(key) === "RSA" ? "pkcs1" : "sec1", format: "pem" }) as string;
}
