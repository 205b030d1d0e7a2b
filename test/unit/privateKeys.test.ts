import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { utils } from "ssh2";
import { placesOf } from "../support/privateKeys";

describe("the search for private keys", () => {
  const ec = () => generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  const rsa = () => generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
  const pem = (key: KeyObject, type: "pkcs8" | "sec1") => key.export({ type, format: "pem" }) as string;
  const kinds: Record<string, () => string> = {
    "EC, PKCS#8": () => pem(ec(), "pkcs8"),
    "EC, SEC1": () => pem(ec(), "sec1"),
    RSA: () => pem(rsa(), "pkcs8"),
    OpenSSH: () => utils.generateKeyPairSync("ed25519").private,
  };
  for (const [kind, make] of Object.entries(kinds)) {
    it(`finds a key as it is and in base64, and no other of its kind: ${kind}`, () => {
      const [key, other] = [make(), make()];
      const texts = [key, other].flatMap((text, n): [string, string][] => [
        [`${n}`, JSON.stringify(text)],
        [`${n} in base64`, Buffer.from(text).toString("base64")],
      ]);
      assert.deepEqual(placesOf([key], texts), ["0", "0 in base64"]);
    });
  }
});
