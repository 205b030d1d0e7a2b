import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { signingKey } from "../../../config/caKey";
import { sshKeyPair } from "../support";

/** As istiod finds one: pem.Decode takes the first block, and ParsePemEncodedKey three kinds of them. */
const NORMAL = /^-----BEGIN ((RSA |EC )?PRIVATE KEY)-----\n([A-Za-z0-9+/=]{1,64}\n)+-----END \1-----\n$/;

describe("signingKey", () => {
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
  const ec = generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey;
  const ed = generateKeyPairSync("ed25519").privateKey;
  const pkcs8 = (key: KeyObject) => key.export({ type: "pkcs8", format: "pem" }) as string;
  const pkcs1 = rsa.export({ type: "pkcs1", format: "pem" }) as string;
  const sec1 = ec.export({ type: "sec1", format: "pem" }) as string;
  const CERTIFICATE = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  const PARAMETERS = "-----BEGIN EC PARAMETERS-----\nBgUrgQQAIg==\n-----END EC PARAMETERS-----\n";

  const around: [string, (text: string) => string][] = [
    ["nothing around it", (text) => text],
    ["parameters before it", (text) => PARAMETERS + text],
    [
      "text around it",
      (text) => `Bag Attributes\n    friendlyName: ca\nKey Attributes: <No Attributes>\n${text}# end\n`,
    ],
    ["certificates around it", (text) => CERTIFICATE + text + CERTIFICATE],
    ["Windows' line ends", (text) => text.replaceAll("\n", "\r\n")],
    ["a byte order mark", (text) => `\uFEFF${text}`],
    ["blank lines and no last newline", (text) => `\n\n${text.trimEnd()}`],
    ["lines that are indented and end in spaces", (text) => text.replaceAll("\n", " \t\n  ")],
    ["one long line", (text) => text.replace(/(?<=[^-])\n(?=[^-])/g, "")],
  ];
  for (const [what, change] of around) {
    it(`gives a key with ${what} as istiod reads it`, () => {
      for (const text of [pkcs1, sec1, pkcs8(rsa), pkcs8(ec), pkcs8(ed)]) {
        assert.match(text, NORMAL);
        assert.equal(signingKey(change(text)), text);
      }
    });
  }

  const PASSPHRASE = "has a passphrase, which nobody gives istiod: openssl pkey -in KEY -out NEW";
  const locked = { cipher: "aes-256-cbc", passphrase: "x", format: "pem" } as const;
  const INSTEAD = "make a CA with ECDSA P-256 or P-384, RSA or Ed25519";
  const kind = (name: string) => `is a key of the kind ${name}, with which Istio does not sign: ${INSTEAD}`;
  const refused: [string, string, string][] = [
    ["nothing", " \n", "is empty"],
    ["some text", "hunter2", "is not a private key"],
    ["a certificate", CERTIFICATE, "is a certificate, not a private key"],
    ["a certificate request", CERTIFICATE.replaceAll("CERTIFICATE", "CERTIFICATE REQUEST"), "is not a private key"],
    [
      "a public key",
      "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
      "is a public key: give the private one",
    ],
    ["a key that is cut off", pkcs1.slice(0, 200), "is cut off: it has no last line"],
    ["a damaged key", pkcs1.replace(/\n.{20}/, "\nAAAAAAAAAAAAAAAAAAAA"), "is damaged: no key can be read from it"],
    ["PKCS#8 with a passphrase", rsa.export({ type: "pkcs8", ...locked }) as string, PASSPHRASE],
    ["PKCS#1 with a passphrase", rsa.export({ type: "pkcs1", ...locked }) as string, PASSPHRASE],
    ["SEC1 with a passphrase", ec.export({ type: "sec1", ...locked }) as string, PASSPHRASE],
    [
      "OpenSSH's form",
      sshKeyPair().private,
      "is in OpenSSH's form, which istiod does not read: ssh-keygen -p -m PEM -f COPY",
    ],
    [
      "DSA's own form",
      pkcs1.replaceAll("RSA", "DSA"),
      "is a DSA PRIVATE KEY, and istiod reads PKCS#8, PKCS#1 and SEC1 only",
    ],
    [
      "PKCS#8 under the name of PKCS#1",
      pkcs8(rsa).replaceAll("PRIVATE", "RSA PRIVATE"),
      "is no RSA PRIVATE KEY, though it says so: openssl pkey -in KEY -out NEW",
    ],
    ["DSA", pkcs8(generateKeyPairSync("dsa", { modulusLength: 1024, divisorLength: 160 }).privateKey), kind("dsa")],
    ["Ed448", pkcs8(generateKeyPairSync("ed448").privateKey), kind("ed448")],
    [
      "secp256k1",
      pkcs8(generateKeyPairSync("ec", { namedCurve: "secp256k1" }).privateKey),
      `is a key on the curve secp256k1, which Istio does not know: ${INSTEAD}`,
    ],
    [
      "a curve that is written out",
      pkcs8(generateKeyPairSync("ec", { namedCurve: "P-256", paramEncoding: "explicit" }).privateKey),
      "is a key of ECDSA with its curve written out, which Istio does not read: make a CA with a named curve",
    ],
  ];
  for (const [what, text, message] of refused) {
    it(`refuses ${what}, and shows none of it`, () => assert.throws(() => signingKey(text), { message }));
  }
});
