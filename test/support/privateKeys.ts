/** Finding private keys where they must not be. */
import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { utils } from "ssh2";

const PEM = /-----BEGIN ([A-Z ]*)PRIVATE KEY-----\n([\s\S]*?)-----END \1PRIVATE KEY-----/g;

/** All private keys (PEM) in a stack's state as `pulumi stack export --show-secrets` prints it. */
export function privateKeysOf(exported: string): Set<string> {
  const keys = new Set<string>();
  const visit = (value: unknown, name = ""): void => {
    if (typeof value === "string") {
      for (const [pem] of value.matchAll(PEM)) keys.add(pem);
      // A secret's plain text is JSON once more.
      if (name === "plaintext") visit(JSON.parse(value));
    } else if (typeof value === "object" && value !== null) {
      for (const [field, inner] of Object.entries(value)) visit(inner, field);
    }
  };
  visit(JSON.parse(exported));
  return keys;
}

/** What gives a key away: each secret line of it, and a piece of its base64 form, in which Kubernetes has secrets. */
export function tracesOf(pem: string): string[] {
  // The end of an EC private key is the public key, which certificates have too.
  const publicKey = publicKeyOf(pem);
  const isSecret = (line: string) => line.length >= 20 && !publicKey.includes(Buffer.from(line, "base64"));
  const all = pem.split("\n").filter((line) => !line.startsWith("-----"));
  // The first line of OpenSSH's form says what follows, in all keys alike.
  const lines = all.slice(pem.includes("OPENSSH") ? 1 : 0).filter(isSecret);
  assert.ok(lines.length > 0, "a private key without content");
  // Behind what a key begins with, as all of its kind do.
  const begin = Math.ceil((pem.indexOf(lines[0]!) + 24) / 3) * 4;
  return [
    ...lines,
    Buffer.from(pem)
      .toString("base64")
      .slice(begin, begin + 60),
  ];
}

/** The bytes of the public key, in the form that goes with the private one's. */
function publicKeyOf(pem: string): Buffer {
  if (!pem.includes("OPENSSH")) return createPublicKey(pem).export({ type: "spki", format: "der" });
  const key = utils.parseKey(pem);
  if (key instanceof Error) throw key;
  return key.getPublicSSH();
}

/** Where a trace of one of the keys is. */
export function placesOf(keys: Iterable<string>, texts: Iterable<[place: string, text: string]>): string[] {
  const traces = [...keys].flatMap(tracesOf);
  const places: string[] = [];
  for (const [place, text] of texts) if (traces.some((trace) => text.includes(trace))) places.push(place);
  return places;
}

/** @throws if a trace of a key is in a text, naming the text and never the key */
export function assertNoKeyIn(texts: Iterable<[place: string, text: string]>, keys: Iterable<string>): void {
  assert.deepEqual(placesOf(keys, texts), [], "private keys were found in these places");
}
