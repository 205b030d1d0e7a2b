import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { KeyObject } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { authorityProblems, type ProvidedAuthority } from "../../../config/authority";
import { withDirectory } from "../support";

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
    usage = undefined as x509.KeyUsageFlags | undefined,
  } = {},
): Promise<Made> {
  const keys = await crypto.subtle.generateKey(EC, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.create({
    subject: `CN=${name}`,
    issuer: `CN=${issuer?.name ?? name}`,
    notBefore: new Date(Date.now() + from * DAY),
    notAfter: new Date(Date.now() + (from + days) * DAY),
    publicKey: keys.publicKey,
    signingKey: (issuer?.keys ?? keys).privateKey,
    signingAlgorithm: EC,
    extensions: [
      new x509.BasicConstraintsExtension(ca, pathLength, true),
      ...(usage === undefined ? [] : [new x509.KeyUsagesExtension(usage, true)]),
    ],
  });
  const key = KeyObject.from(keys.privateKey).export({ type: "pkcs8", format: "pem" }) as string;
  return { pem: `${certificate.toString("pem")}\n`, key, name, keys };
}

/** What Envoys and agents ask for: either side of mTLS, with each of the roots for one that is believed. */
const verifyByOpenssl = ({ rootCert, caCert, certChain }: ProvidedAuthority) =>
  withDirectory((directory) => {
    const [roots, chain, ca] = ["root.pem", "chain.pem", "ca.pem"].map((name) => join(directory, name)) as [
      string,
      string,
      string,
    ];
    writeFileSync(roots, rootCert);
    writeFileSync(chain, certChain);
    writeFileSync(ca, caCert);
    for (const purpose of ["sslserver", "sslclient"]) {
      const args = ["verify", "-partial_chain", "-purpose", purpose, "-CAfile", roots, "-untrusted", chain, ca];
      execFileSync("openssl", args, { stdio: "pipe" });
    }
  });

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
  const fieldsOf = ({ roots = [root], own = ca, chain = [ca, middle, root] }: Parts): ProvidedAuthority => {
    const join = (all: Made[]) => all.map(({ pem }) => pem).join("");
    return { rootCert: join(roots), caCert: own.pem, certChain: join(chain), caKey: { secret: "caKey" } };
  };
  const found = (parts: Parts = {}) => authorityProblems(fieldsOf(parts), parts.key ?? (parts.own ?? ca).key);

  const accepted: [string, () => Parts | Promise<Parts>][] = [
    ["what belongs together", () => ({})],
    ["a chain without the root", () => ({ chain: [ca, middle] })],
    ["several roots, of which one is it", () => ({ roots: [other, root] })],
    ["a root that signs by itself", () => ({ own: root, chain: [root] })],
    ["a root that another has signed", () => ({ roots: [middle], chain: [ca, middle] })],
    [
      "a CA that outlives its issuers",
      async () => {
        const own = await make("lasting", middle, { days: 20 });
        return { own, chain: [own, middle, root] };
      },
    ],
    [
      "a CA that ends tomorrow, of which IVM404 warns",
      async () => {
        const own = await make("ending", middle, { days: 2 });
        return { own, chain: [own, middle, root] };
      },
    ],
    [
      "Windows' line ends and text around",
      () => ({ own: { ...ca, pem: `Bag Attributes\r\n    friendlyName: ca\r\n${ca.pem.replaceAll("\n", "\r\n")}` } }),
    ],
  ];
  for (const [what, parts] of accepted) {
    it(`accepts ${what}, as openssl does`, async () => {
      const made = await parts();
      assert.deepEqual(found(made), []);
      await verifyByOpenssl(fieldsOf(made));
    });
  }

  it("says nothing of a secret that is not there: others do", () => {
    assert.deepEqual(authorityProblems(fieldsOf({}), undefined), []);
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
    ["a damaged key", () => ({ key: ca.key.replace(/\n.{30}/, "\n") }), [/is damaged: no key can be read from it$/]],
    [
      "root and intermediate swapped",
      () => ({ roots: [ca], own: root, chain: [root, middle, ca], key: ca.key }),
      [/^ca\.provided: rootCert and caCert are swapped: rootCert has "CN=ca", caCert the root, "CN=root"$/],
    ],
    [
      "another root as caCert",
      () => ({ own: other, chain: [other] }),
      [/^certChain: leads to "CN=other", which is not in rootCert: give that root there$/],
    ],
    [
      "a root that has ended and signs by itself, in one line",
      async () => {
        const past = await make("past", undefined, { from: -20 });
        return { roots: [past], own: past, chain: [past] };
      },
      [/^rootCert: "CN=past" ended on/],
    ],
    [
      "a chain that is turned round",
      () => ({ chain: [root, middle, ca] }),
      [/^certChain: is in another order than from caCert up to the root: "CN=ca", "CN=middle", "CN=root"$/],
    ],
    [
      "a chain in disorder",
      () => ({ chain: [ca, root, middle] }),
      [/^certChain: is in another order than from caCert up to the root: "CN=ca", "CN=middle", "CN=root"$/],
    ],
    [
      "a chain without caCert",
      () => ({ chain: [middle, root] }),
      [/^certChain: lacks caCert, "CN=ca": put it at the beginning$/],
    ],
    [
      "a stranger between",
      () => ({ chain: [ca, other, middle, root] }),
      [/^certChain: has "CN=other", which is not on the way from caCert to rootCert: leave it out$/],
    ],
    ...(
      [
        ["a chain of another", () => [other]],
        ["a chain without the intermediate", () => [ca, root]],
        ["a chain that ends too early", () => [ca]],
      ] as [string, () => Made[]][]
    ).map(([what, chain]): [string, () => Parts, RegExp[]] => [
      what,
      () => ({ chain: chain() }),
      [/^certChain: lacks "CN=middle", which has signed "CN=ca": put it behind that one; a root goes into rootCert$/],
    ]),
    [
      "another root",
      () => ({ roots: [other] }),
      [/^certChain: leads to "CN=root", which is not in rootCert: give that root there$/],
    ],
    [
      "another root of the same name",
      async () => ({ roots: [await make("root")], chain: [ca, middle] }),
      [
        /^certChain: has "CN=middle", which is signed by "CN=root", but by another key than that of the "CN=root" given$/,
      ],
    ],
    [
      "one of several roots that is no CA",
      async () => ({ roots: [root, await make("leaf", undefined, { ca: false })] }),
      [/^rootCert: "CN=leaf" is no CA: it may not sign certificates$/],
    ],
    [
      "one of several roots that has ended",
      async () => ({ roots: [root, await make("past", undefined, { from: -20 })] }),
      [/^rootCert: "CN=past" ended on/],
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
      "a root that may not sign, in one line",
      async () => {
        const barred = await make("barred", undefined, { usage: x509.KeyUsageFlags.cRLSign });
        const own = await make("below", barred);
        return { roots: [barred], own, chain: [own, barred] };
      },
      [/^rootCert: "CN=barred" may not sign certificates: have it issued anew with keyCertSign in its keyUsage$/],
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
        assert.match(line.replace(/^ca\.provided\./, ""), problems[n]!);
        assert.doesNotMatch(line, /BEGIN/);
      }
    });
  }
});
