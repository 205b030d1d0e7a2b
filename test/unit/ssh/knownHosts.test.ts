import assert from "node:assert/strict";
import { createHmac, randomBytes } from "node:crypto";
import fc from "fast-check";
import { findHostKey } from "../../../ssh/knownHosts";

const ED = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA";
const ED2 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB";
const EC = "ecdsa-sha2-nistp256 AAAAE2VjZHNh";
const EC5 = "ecdsa-sha2-nistp521 AAAAE2VjZHNi";
const RSA = "ssh-rsa AAAAB3NzaC1yc2E";

/** A name as HashKnownHosts writes it. */
function hashed(name: string): string {
  const salt = randomBytes(20);
  return `|1|${salt.toString("base64")}|${createHmac("sha1", salt).update(name).digest("base64")}`;
}

describe("findHostKey", () => {
  const cases: [string, string | string[], string | undefined, (string | number)?, number?][] = [
    ["plain", `vm1 ${ED}`, ED],
    ["one of several names", `a,vm1,b ${ED}`, ED],
    ["an address", `10.0.0.1 ${ED}`, ED, "10.0.0.1"],
    ["no regular expression", `10.0.0.1 ${ED}`, undefined, "10x0x0x1"],
    ["another host", `vm2 ${ED}`, undefined],
    ["a part of the name only", `vm ${ED}`, undefined],
    ["in other case", `VM1 ${ED}`, ED, "vm1"],
    ["asked in other case", `vm1 ${ED}`, ED, "VM1"],
    ["hashed", `${hashed("vm1")} ${ED}`, ED],
    ["hashed, asked in other case", `${hashed("vm1")} ${ED}`, ED, "VM1"],
    ["hashed, another host", `${hashed("vm2")} ${ED}`, undefined],
    ["hashed, another port", `${hashed("[vm1]:2222")} ${ED}`, ED, "vm1", 2222],
    ["another port", `[vm1]:2222 ${ED}`, ED, "vm1", 2222],
    ["port 22 where another was asked", `vm1 ${ED}`, undefined, "vm1", 2222],
    ["another port where 22 was asked", `[vm1]:2222 ${ED}`, undefined],
    ["an IPv6 address and port", `[fe80::1]:2222 ${ED}`, ED, "fe80::1", 2222],
    ["a wildcard", `*.example.org ${ED}`, ED, "vm1.example.org"],
    ["a wildcard that does not match", `*.example.org ${ED}`, undefined, "vm1.example.com"],
    ["a question mark", `vm? ${ED}`, ED],
    ["a question mark for exactly one", `vm? ${ED}`, undefined, "vm12"],
    ["negated", `*,!vm1 ${ED}`, undefined],
    ["negated for another", `*,!vm2 ${ED}`, ED],
    ["only negated", `!vm2 ${ED}`, undefined],
    ["negated in one line, named in another", [`*,!vm1 ${ED}`, `vm1 ${ED2}`], ED2],
    ["with a comment", `vm1 ${ED} root@vm1`, ED],
    ["a line that is a comment", `# vm1 ${ED}`, undefined],
    ["a comment after blanks", `  #vm1 ${ED}`, undefined],
    ["blanks around", `\t vm1 \t ${ED} `, ED],
    ["a file of Windows", `vm2 ${ED}\r\nvm1 ${ED2}\r\n`, ED2],
    ["revoked", `@revoked vm1 ${ED}`, undefined],
    ["revoked beside a line that has it", [`vm1 ${ED}`, `@revoked * ${ED}`], undefined],
    ["revoked beside another", [`vm1 ${ED}`, `@revoked * ${ED}`, `vm1 ${EC}`], EC],
    ["revoked for another host", [`vm1 ${ED}`, `@revoked vm2 ${ED}`], ED],
    ["a certificate authority", `@cert-authority vm1 ${ED}`, undefined],
    ["RSA only", `vm1 ${RSA}`, undefined],
    ["the best of several types", [`vm1 ${RSA}`, `vm1 ${EC5}`, `vm1 ${EC}`, `vm1 ${ED}`], ED],
    ["the best of two curves", [`vm1 ${EC5}`, `vm1 ${EC}`], EC],
    ["the first of one type", [`vm1 ${ED}`, `vm1 ${ED2}`], ED],
    ["half a line", ["vm1", "vm1 ssh-ed25519", "@revoked vm1 ssh-ed25519", `vm1 ${ED}`], ED],
    ["an empty file", "", undefined],
  ];
  for (const [what, lines, expected, host = "vm1", port = 22] of cases) {
    it(what, () => assert.equal(findHostKey([lines].flat().join("\n"), String(host), port), expected));
  }

  it("never throws, and finds the right line among any others", () => {
    const token = fc.oneof(
      fc.string({ unit: "binary", maxLength: 10 }),
      fc.constantFrom("@revoked", "@", "!", "*", "?", "|1|", "|1|a|b", "[", "\\", ",", "ssh-ed25519", "#", "(", "vm2"),
    );
    const noise = fc.array(
      fc.array(token, { maxLength: 6 }).map((tokens) => tokens.join(" ")),
      { maxLength: 6 },
    );
    const other = "host-that-noise-can-not-name-0123456789";
    fc.assert(
      fc.property(noise, noise, (before, after) => {
        findHostKey([...before, ...after].join("\n"), "vm1", 22);
        // Noise may hold a wildcard, but no key that begins like this one.
        const found = findHostKey([...before, `${other} ${ED}`, ...after].join("\n"), other, 22);
        assert.ok(found !== undefined && (found === ED || !found.includes("AAAA")));
      }),
    );
  });
});
