/**
 * Private keys as both SSH clients read them: the command provider's (Go: the first block of a PEM, of whatever usual
 * form) and ssh2 (OpenSSH's own form, PKCS#1 and SEC1, from the very beginning). No error shows anything of a key.
 */
import { createPrivateKey, type KeyObject } from "node:crypto";
import { type ParsedKey, utils } from "ssh2";

const BLOCK = /-----BEGIN ([A-Z0-9 ]*)PRIVATE KEY-----[\s\S]+?-----END \1PRIVATE KEY-----/;
const SSH_TYPES = ["ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"];

/**
 * The first private key of a PEM text, without what stands around it (`BEGIN EC PARAMETERS`, say).
 *
 * @throws with the end of a sentence that says what the text is instead
 */
export function requirePrivateKeyBlock(text: string): string {
  if (text.trim() === "") throw new Error("is empty");
  if (/^PuTTY-User-Key-File/.test(text)) {
    throw new Error("is a key of PuTTY's: puttygen KEY -O private-openssh -o NEW");
  }
  const block = BLOCK.exec(text)?.[0].replace(/\r\n?/g, "\n");
  if (block === undefined) {
    if (/^\s*(ssh-|ecdsa-|sk-)\S+ AAAA|BEGIN SSH2 PUBLIC KEY/.test(text)) {
      throw new Error("is a public key: the private one is in the file without .pub");
    }
    if (/BEGIN (RSA )?PUBLIC KEY/.test(text)) throw new Error("is a public key: give the private one");
    if (text.includes("BEGIN CERTIFICATE-")) throw new Error("is a certificate, not a private key");
    const begun = /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/.test(text);
    throw new Error(begun ? "is cut off: it has no last line" : "is not a private key");
  }
  return `${block}\n`;
}

/** Whether a block says of itself that it does; OpenSSH's own form does not. */
export const hasPassphrase = (block: string) => /^-----BEGIN ENCRYPTED|^\s*Proc-Type: 4,ENCRYPTED/m.test(block);

/** As ssh2 reads it, or why it can't. */
function parsed(text: string): ParsedKey | Error {
  const key = utils.parseKey(text) as ParsedKey | ParsedKey[] | Error;
  return Array.isArray(key) ? key[0]! : key;
}

/** An Ed25519 key in OpenSSH's own form (its PROTOCOL.key), which Node can't write. */
function openSsh(key: KeyObject): string {
  const { d = "", x = "" } = key.export({ format: "jwk" });
  const [seed, point] = [Buffer.from(d, "base64url"), Buffer.from(x, "base64url")];
  const field = (data: Buffer | string) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(Buffer.byteLength(data));
    return Buffer.concat([length, Buffer.from(data)]);
  };
  const number = (value: number) => Buffer.from([0, 0, 0, value]);
  const name = field("ssh-ed25519");
  // Two equal numbers that show whether a passphrase was right.
  const check = Buffer.concat([number(1), number(1)]);
  const inner = Buffer.concat([check, name, field(point), field(Buffer.concat([seed, point])), field("")]);
  const padding = Buffer.from([1, 2, 3, 4, 5, 6, 7].slice(0, (8 - (inner.length % 8)) % 8));
  const all = Buffer.concat([
    Buffer.from("openssh-key-v1\0"),
    ...[field("none"), field("none"), field(""), number(1)],
    ...[field(Buffer.concat([name, field(point)])), field(Buffer.concat([inner, padding]))],
  ]);
  const lines = all.toString("base64").replace(/.{1,70}/g, "$&\n");
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${lines}-----END OPENSSH PRIVATE KEY-----\n`;
}

/** PKCS#8 in the form that both clients read. */
function converted(block: string): string {
  let key: KeyObject;
  try {
    key = createPrivateKey(block);
  } catch {
    throw new Error("is damaged: no key can be read from it");
  }
  switch (key.asymmetricKeyType) {
    case "rsa":
      return key.export({ type: "pkcs1", format: "pem" }) as string;
    case "ec":
      return key.export({ type: "sec1", format: "pem" }) as string;
    case "ed25519":
      return openSsh(key);
    default:
      throw new Error(`is of a kind that SSH does not have (${key.asymmetricKeyType}): ssh-keygen -t ed25519`);
  }
}

/** The same, of a key that was looked at already; one that can't be used stays as it is. */
export function commonForm(text: string): string {
  try {
    return usableSshKey(text);
  } catch {
    return text;
  }
}

/**
 * The key as both clients read it: as it is, wherever they do.
 *
 * @throws with the end of a sentence that says why it can't be used
 */
export function usableSshKey(text: string): string {
  const block = requirePrivateKeyBlock(text);
  if (hasPassphrase(block)) throw new Error("has a passphrase");
  let form = text.trim() === block.trim() && !text.includes("\r") ? text : block;
  let key = parsed(form);
  if (key instanceof Error) {
    if (/encrypted|passphrase/i.test(key.message)) throw new Error("has a passphrase");
    if (block.includes("OPENSSH")) {
      const sk = Buffer.from(block.replace(/-----.*-----/g, ""), "base64").includes("sk-");
      throw new Error(
        sk
          ? "is kept by a security token, which must be touched: use another key"
          : "is damaged: no key can be read from it",
      );
    }
    form = converted(block);
    key = parsed(form);
  }
  if (key instanceof Error || !SSH_TYPES.includes(key.type)) {
    const type = key instanceof Error ? "" : ` (${key.type})`;
    throw new Error(`is of a kind that SSH servers do not take${type}: ssh-keygen -t ed25519`);
  }
  if (!key.isPrivateKey()) throw new Error("is a public key: the private one is in the file without .pub");
  return form;
}
