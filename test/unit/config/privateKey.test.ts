import assert from "node:assert/strict";
import { createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import { type ParsedKey, utils } from "ssh2";
import { commonForm, usableSshKey } from "../../../config/privateKey";
import { sshKeyPair } from "../support";

/** What the command provider takes (golang.org/x/crypto/ssh: ParseRawPrivateKey): by the first block of the text. */
const GO_TAKES = /^[^-]*-----BEGIN (RSA |EC |OPENSSH )?PRIVATE KEY-----\n/;

const pem = (key: { export(options: { type: "pkcs8"; format: "pem" }): string | Buffer }) =>
  key.export({ type: "pkcs8", format: "pem" }) as string;

describe("usableSshKey", () => {
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
  const ec = generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey;
  const ed = generateKeyPairSync("ed25519").privateKey;
  const pkcs1 = rsa.export({ type: "pkcs1", format: "pem" }) as string;
  const sec1 = ec.export({ type: "sec1", format: "pem" }) as string;
  const openSsh = sshKeyPair();

  /** The public key, as both clients will tell it. */
  function publicKey(text: string): string {
    assert.match(text, GO_TAKES);
    const key = utils.parseKey(text);
    if (key instanceof Error) throw key;
    return key.getPublicPEM();
  }
  const publicOf = (key: typeof rsa) => createPublicKey(key).export({ type: "spki", format: "pem" }) as string;
  const same = (a: string, b: string) => assert.equal(a.replace(/\s/g, ""), b.replace(/\s/g, ""));

  it("leaves as it is what both clients read", () => {
    for (const text of [pkcs1, sec1, openSsh.private, openSsh.private.trimEnd()])
      assert.equal(usableSshKey(text), text);
  });

  for (const [what, key] of [
    ["RSA", rsa],
    ["ECDSA", ec],
    ["Ed25519", ed],
  ] as const) {
    it(`turns PKCS#8 into what both read: ${what}`, () => same(publicKey(usableSshKey(pem(key))), publicOf(key)));
  }

  it("writes Ed25519 as OpenSSH does, whatever its length", () => {
    for (let n = 0; n < 20; n++) {
      const key = generateKeyPairSync("ed25519").privateKey;
      const text = usableSshKey(pem(key));
      same(publicKey(text), publicOf(key));
      const data = Buffer.from("signed by it");
      const parsed = utils.parseKey(text) as ParsedKey;
      assert.equal(parsed.verify(data, parsed.sign(data)), true);
    }
  });

  for (const [what, around] of [
    ["text before it", (text: string) => `Bag Attributes\n    friendlyName: me\n${text}`],
    [
      "parameters before it",
      (text: string) => `-----BEGIN EC PARAMETERS-----\nBgUrgQQAIg==\n-----END EC PARAMETERS-----\n${text}`,
    ],
    [
      "a certificate behind it",
      (text: string) => `${text}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`,
    ],
    ["Windows' line ends", (text: string) => text.replaceAll("\n", "\r\n")],
  ] as const) {
    it(`takes a key with ${what}`, () => {
      for (const text of [pkcs1, sec1, pem(rsa), pem(ec), pem(ed), openSsh.private]) {
        assert.equal(publicKey(usableSshKey(around(text))), publicKey(usableSshKey(text)));
      }
    });
  }

  const locked = (text: string, cipher: string) =>
    createPrivateKey(text).export({ type: "pkcs8", format: "pem", cipher, passphrase: "x" }) as string;
  for (const [what, text, reason] of [
    ["nothing", " \n", "is empty"],
    ["a public key", openSsh.public, "is a public key: the private one is in the file without .pub"],
    ["a public key in PEM", publicOf(rsa), "is a public key: give the private one"],
    [
      "a certificate",
      "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
      "is a certificate, not a private key",
    ],
    ["some text", "hunter2", "is not a private key"],
    ["a path", "~/.ssh/id_ed25519", "is not a private key"],
    ["the beginning of a key", openSsh.private.slice(0, 100), "is cut off: it has no last line"],
    ["a damaged key", pkcs1.replace(/\n.{20}/, "\nAAAAAAAAAAAAAAAAAAAA"), "is damaged: no key can be read from it"],
    ["a damaged OpenSSH key", openSsh.private.replace(/\n[^-].{30}/, "\n"), "is damaged: no key can be read from it"],
    ["PKCS#8 with a passphrase", locked(pkcs1, "aes-256-cbc"), "has a passphrase"],
    [
      "PKCS#1 with a passphrase",
      rsa.export({ type: "pkcs1", format: "pem", cipher: "aes-128-cbc", passphrase: "x" }) as string,
      "has a passphrase",
    ],
    [
      "OpenSSH with a passphrase",
      utils.generateKeyPairSync("ed25519", { passphrase: "x", cipher: "aes256-ctr", rounds: 1 }).private,
      "has a passphrase",
    ],
    [
      "a curve that SSH does not have",
      generateKeyPairSync("ec", { namedCurve: "secp256k1" }).privateKey.export({
        type: "sec1",
        format: "pem",
      }) as string,
      /^is of a kind that SSH servers do not take/,
    ],
    [
      "Ed448",
      pem(generateKeyPairSync("ed448").privateKey),
      "is of a kind that SSH does not have (ed448): ssh-keygen -t ed25519",
    ],
    [
      "PuTTY's form",
      "PuTTY-User-Key-File-3: ssh-ed25519\n",
      "is a key of PuTTY's: puttygen KEY -O private-openssh -o NEW",
    ],
  ] as [string, string, string | RegExp][]) {
    it(`refuses ${what}, and shows none of it`, () => {
      assert.throws(
        () => usableSshKey(text),
        ({ message }: Error) => {
          if (typeof reason === "string") assert.equal(message, reason);
          else assert.match(message, reason);
          return true;
        },
      );
      assert.equal(commonForm(text), text);
    });
  }

  it("refuses a key that a security token keeps", () => {
    const field = (text: string) => Buffer.concat([Buffer.from([0, 0, 0, text.length]), Buffer.from(text)]);
    const type = field("sk-ssh-ed25519@openssh.com");
    const body = Buffer.concat([
      Buffer.from("openssh-key-v1\0"),
      ...[field("none"), field("none"), field(""), Buffer.from([0, 0, 0, 1]), field(""), type],
    ]).toString("base64");
    const text = `-----BEGIN OPENSSH PRIVATE KEY-----\n${body}\n-----END OPENSSH PRIVATE KEY-----\n`;
    assert.throws(
      () => usableSshKey(text),
      /^Error: is kept by a security token, which must be touched: use another key$/,
    );
  });
});
