/** Private keys: making them, reading them, and the encodings that the tls provider outputs. */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  KeyObject,
  randomBytes,
  webcrypto,
} from "node:crypto";

export type KeyAlgorithm = "ECDSA" | "RSA" | "ED25519";

/** Curves by the provider's name. The provider's default, P224, is not among them: webcrypto has none. */
export const CURVES = { P256: "prime256v1", P384: "secp384r1" } as const;
export const RSA_BITS = [2048, 4096];

/** Makes a private key. `curve` is for ECDSA, `bits` for RSA. */
export function generateKey(algorithm: KeyAlgorithm, curve: keyof typeof CURVES, bits: number): KeyObject {
  switch (algorithm) {
    case "ECDSA":
      return generateKeyPairSync("ec", { namedCurve: CURVES[curve] }).privateKey;
    case "RSA":
      return generateKeyPairSync("rsa", { modulusLength: bits }).privateKey;
    case "ED25519":
      return generateKeyPairSync("ed25519").privateKey;
  }
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
    case "ed25519":
      return "ED25519";
    default:
      throw new Error(`keys of type ${key.asymmetricKeyType} are not implemented`);
  }
}

/** A key for signing with webcrypto, and the algorithm that Go's crypto/x509 chooses for such a key. */
export async function signingKeys(key: KeyObject): Promise<{ keys: CryptoKeyPair; algorithm: SigningAlgorithm }> {
  const algorithm = signingAlgorithm(key);
  const { subtle } = webcrypto;
  const der = { type: "pkcs8", format: "der" } as const;
  const privateKey = await subtle.importKey("pkcs8", key.export(der), algorithm, true, ["sign"]);
  const spki = createPublicKey(key).export({ type: "spki", format: "der" });
  const publicKey = await subtle.importKey("spki", spki, algorithm, true, ["verify"]);
  return { keys: { privateKey, publicKey }, algorithm };
}

export type SigningAlgorithm = { name: string; hash?: string; namedCurve?: string };
export type CryptoKeyPair = { privateKey: webcrypto.CryptoKey; publicKey: webcrypto.CryptoKey };

function signingAlgorithm(key: KeyObject): SigningAlgorithm {
  switch (keyAlgorithm(key)) {
    case "RSA":
      return { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
    case "ED25519":
      return { name: "Ed25519" };
    case "ECDSA":
      switch (key.asymmetricKeyDetails?.namedCurve) {
        case "prime256v1":
          return { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
        case "secp384r1":
          return { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" };
        default:
          throw new Error(`the curve ${key.asymmetricKeyDetails?.namedCurve} is not implemented`);
      }
  }
}

/** The private key as the provider outputs it: each algorithm has its traditional form. */
export function privateKeyPem(key: KeyObject): string {
  const type = { ECDSA: "sec1", RSA: "pkcs1", ED25519: "pkcs8" } as const;
  return key.export({ type: type[keyAlgorithm(key)], format: "pem" }) as string;
}

/** The public key as `ssh-keygen -y` prints it, with a newline. */
export function publicKeyOpenssh(key: KeyObject): string {
  const blob = sshPublicKey(key);
  return `${sshKeyType(key)} ${blob.toString("base64")}\n`;
}

export function fingerprints(key: KeyObject): { md5: string; sha256: string } {
  const blob = sshPublicKey(key);
  const md5 = createHash("md5").update(blob).digest("hex").match(/../g)!.join(":");
  return { md5, sha256: `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}` };
}

/** The private key in OpenSSH's own format (PROTOCOL.key in OpenSSH's source), not encrypted. */
export function privateKeyOpenssh(key: KeyObject): string {
  const check = randomBytes(4);
  const body = Buffer.concat([check, check, sshString(sshKeyType(key)), ...privateFields(key), sshString("")]);
  const padding = Buffer.from(Array.from({ length: (8 - (body.length % 8)) % 8 }, (_, index) => index + 1));
  const none = sshString("none");
  const blob = Buffer.concat([
    Buffer.from("openssh-key-v1\0"),
    none, // cipher
    none, // key derivation
    sshString(""),
    Buffer.from([0, 0, 0, 1]), // one key
    sshString(sshPublicKey(key)),
    sshString(Buffer.concat([body, padding])),
  ]);
  const lines = blob.toString("base64").match(/.{1,64}/g)!;
  return ["-----BEGIN OPENSSH PRIVATE KEY-----", ...lines, "-----END OPENSSH PRIVATE KEY-----", ""].join("\n");
}

const sshString = (value: string | Buffer): Buffer => {
  const bytes = Buffer.from(value as string);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
};

/** A positive integer, with a zero byte in front where its first bit is set. */
const sshInteger = (base64url: string | undefined): Buffer => {
  const bytes = Buffer.from(base64url ?? "", "base64url");
  return sshString(bytes[0]! >= 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes);
};

const raw = (base64url: string | undefined): Buffer => Buffer.from(base64url ?? "", "base64url");

function sshKeyType(key: KeyObject): string {
  const types = { RSA: "ssh-rsa", ED25519: "ssh-ed25519", ECDSA: `ecdsa-sha2-${sshCurve(key)}` };
  return types[keyAlgorithm(key)];
}

const sshCurve = (key: KeyObject): string =>
  key.asymmetricKeyDetails?.namedCurve === "secp384r1" ? "nistp384" : "nistp256";

const ecPoint = (key: KeyObject): Buffer => {
  const { x, y } = key.export({ format: "jwk" });
  return Buffer.concat([Buffer.from([4]), raw(x), raw(y)]);
};

function sshPublicKey(key: KeyObject): Buffer {
  const jwk = key.export({ format: "jwk" });
  const fields = {
    RSA: () => [sshInteger(jwk.e), sshInteger(jwk.n)],
    ED25519: () => [sshString(raw(jwk.x))],
    ECDSA: () => [sshString(sshCurve(key)), sshString(ecPoint(key))],
  };
  return Buffer.concat([sshString(sshKeyType(key)), ...fields[keyAlgorithm(key)]()]);
}

function privateFields(key: KeyObject): Buffer[] {
  const jwk = key.export({ format: "jwk" });
  switch (keyAlgorithm(key)) {
    case "RSA":
      return [jwk.n, jwk.e, jwk.d, jwk.qi, jwk.p, jwk.q].map(sshInteger);
    case "ED25519":
      return [sshString(raw(jwk.x)), sshString(Buffer.concat([raw(jwk.d), raw(jwk.x)]))];
    case "ECDSA":
      return [sshString(sshCurve(key)), sshString(ecPoint(key)), sshInteger(jwk.d)];
  }
}
