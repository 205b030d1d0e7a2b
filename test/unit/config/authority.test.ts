import assert from "node:assert/strict";
import { KeyObject } from "node:crypto";
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { authorityProblems } from "../../../config/authority";

const EC = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const DAY = 86_400_000;

interface Made {
  pem: string;
  key: string;
  name: string;
  keys: CryptoKeyPair;
}

/** A certificate; without issuer it is its own. */
async function make(
  name: string,
  issuer?: Made,
  {
    ca = true,
    pathLength = undefined as number | undefined,
    from = -1,
    days = 10,
    keys = undefined as CryptoKeyPair | undefined,
  } = {},
): Promise<Made> {
  keys ??= await crypto.subtle.generateKey(EC, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.create({
    subject: `CN=${name}`,
    issuer: `CN=${issuer?.name ?? name}`,
    notBefore: new Date(Date.now() + from * DAY),
    notAfter: new Date(Date.now() + (from + days) * DAY),
    publicKey: keys.publicKey,
    signingKey: (issuer?.keys ?? keys).privateKey,
    signingAlgorithm: EC,
    extensions: [new x509.BasicConstraintsExtension(ca, pathLength, true)],
  });
  const key = KeyObject.from(keys.privateKey).export({ type: "pkcs8", format: "pem" }) as string;
  return { pem: `${certificate.toString("pem")}\n`, key, name, keys };
}

describe("authorityProblems", () => {
  let root: Made, middle: Made, ca: Made, other: Made;
  before(async () => {
    root = await make("root");
    middle = await make("middle", root);
    ca = await make("ca", middle, { pathLength: 0 });
    other = await make("other");
  });

  interface Parts {
    roots?: Made[];
    own?: Made;
    chain?: Made[];
    key?: string;
  }
  const found = ({ roots = [root], own = ca, chain = [ca, middle, root], key = own.key }: Parts = {}) => {
    const join = (all: Made[]) => all.map(({ pem }) => pem).join("");
    const fields = { rootCert: join(roots), caCert: own.pem, certChain: join(chain), caKey: { secret: "caKey" } };
    return authorityProblems(fields, key);
  };

  it("finds none in what belongs together", () => {
    assert.deepEqual(found(), []);
    assert.deepEqual(found({ chain: [ca, middle] }), [], "without the root in its chain");
    assert.deepEqual(found({ roots: [other, root] }), [], "one of several roots");
    assert.deepEqual(found({ roots: [root], own: root, chain: [root] }), [], "one that signs by itself");
    assert.deepEqual(found({ roots: [middle], chain: [ca, middle] }), [], "a root that another has signed");
    const bags = { ...ca, pem: `Bag Attributes\r\n    friendlyName: ca\r\n${ca.pem.replaceAll("\n", "\r\n")}` };
    assert.deepEqual(found({ own: bags }), [], "with text and Windows' line ends");
    assert.deepEqual(
      authorityProblems(
        { rootCert: root.pem, caCert: root.pem, certChain: root.pem, caKey: { secret: "k" } },
        undefined,
      ),
      [],
    );
  });

  const cases: [string, () => Parts | Promise<Parts>, RegExp[]][] = [
    [
      "the key of another",
      () => ({ key: other.key }),
      [/^caKey\.secret: the secret "caKey" is not the key of caCert, "CN=ca"$/],
    ],
    [
      "a certificate as key",
      () => ({ key: ca.pem }),
      [/^caKey\.secret: the secret "caKey" is a certificate, not a private key$/],
    ],
    [
      "a key of the wrong kind",
      () => ({ key: "-----BEGIN OPENSSH PRIVATE KEY-----\nA\n-----END OPENSSH PRIVATE KEY-----\n" }),
      [/is a key for SSH, not for certificates$/],
    ],
    ["a damaged key", () => ({ key: ca.key.replace(/\n.{30}/, "\n") }), [/is damaged: no key can be read from it$/]],
    [
      "root and intermediate swapped",
      () => ({ roots: [ca], own: root, chain: [root, middle, ca], key: ca.key }),
      [
        /^certChain: "CN=middle" stands behind "CN=root", but has not signed it$/,
        /^caKey\.secret: .* not the key of caCert, "CN=root"$/,
      ],
    ],
    [
      "a chain in reverse",
      () => ({ chain: [root, middle, ca] }),
      [/^certChain: begins with "CN=root", not with caCert, "CN=ca": turn its order round$/],
    ],
    [
      "a chain of another",
      () => ({ chain: [other] }),
      [/^certChain: begins with "CN=other", not with caCert, "CN=ca"$/],
    ],
    [
      "a chain without the intermediate",
      () => ({ chain: [ca, root] }),
      [/^certChain: "CN=root" stands behind "CN=ca", but has not signed it$/],
    ],
    [
      "a chain that ends too early",
      () => ({ chain: [ca] }),
      [/^certChain: ends with "CN=ca", which none of rootCert has signed: /],
    ],
    [
      "another root",
      () => ({ roots: [other] }),
      [/^certChain: ends with "CN=root", which none of rootCert has signed: /],
    ],
    [
      "another root of the same name",
      async () => ({ roots: [await make("root")], chain: [ca, middle] }),
      [/^certChain: ends with "CN=middle", which none/],
    ],
    [
      "one that may not sign",
      async () => {
        const leaf = await make("leaf", root, { ca: false });
        return { own: leaf, chain: [leaf, root] };
      },
      [/^caCert: "CN=leaf" is no CA: it may not sign certificates$/],
    ],
    [
      "one that has ended, and one that has not begun",
      async () => {
        const past = await make("past", undefined, { from: -20 });
        const future = await make("future", past, { from: 1 });
        return { roots: [past], own: future, chain: [future, past] };
      },
      [/^rootCert: "CN=past" ended on \d{4}-/, /^caCert: "CN=future" begins only on \d{4}-/],
    ],
    [
      "an intermediate that has ended",
      async () => {
        const past = await make("past", root, { from: -20 });
        const below = await make("below", past);
        return { own: below, chain: [below, past, root] };
      },
      [/^certChain: "CN=past" ended on/],
    ],
    [
      "a root that allows no CA below it",
      async () => {
        const narrow = await make("narrow", undefined, { pathLength: 0 });
        const below = await make("below", narrow);
        return { roots: [narrow], own: below, chain: [below] };
      },
      [/^rootCert: "CN=narrow" allows 0 CAs below it \(path length\), but there are 1$/],
    ],
    [
      "an intermediate that allows no CA below it",
      async () => {
        const narrow = await make("narrow", root, { pathLength: 0 });
        const below = await make("below", narrow);
        return { own: below, chain: [below, narrow, root] };
      },
      [/^certChain: "CN=narrow" allows 0 CAs below it/],
    ],
  ];
  for (const [what, parts, problems] of cases) {
    it(`finds ${what}`, async () => {
      const lines = found(await parts());
      assert.equal(lines.length, problems.length, lines.join("\n"));
      for (const [n, line] of lines.entries()) {
        assert.match(line.replace("ca.provided.", ""), problems[n]!);
        assert.doesNotMatch(line, /BEGIN/);
      }
    });
  }
});
