import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createPublicKey, generateKeyPairSync, type KeyObject, X509Certificate } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { caProblems } from "../../../config/caCertificate";
import { kindProblem } from "../../../config/caKey";
import { withDirectory } from "../support";

const pkcs8 = (key: KeyObject) => key.export({ type: "pkcs8", format: "pem" }) as string;
const ec = (namedCurve: string) => generateKeyPairSync("ec", { namedCurve }).privateKey;
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
const p256 = ec("P-256");

interface Wanted {
  key?: KeyObject;
  /** Of `openssl req`. */
  signature?: string[];
  extensions?: string[];
}

const openssl = (...args: string[]) => execFileSync("openssl", args, { stdio: "pipe" });

/** A CA that openssl has signed by itself, for Web Crypto has neither such keys nor such digests. */
const make = ({ key = p256, signature = ["-sha256"], extensions = [] }: Wanted, isVerified = false) =>
  withDirectory((directory) => {
    const path = (name: string) => join(directory, name);
    writeFileSync(path("key"), pkcs8(key));
    const extension = ["basicConstraints = critical, CA:TRUE", ...extensions].join("\n");
    writeFileSync(path("cnf"), `[req]\ndistinguished_name = dn\nx509_extensions = v3\n[dn]\n[v3]\n${extension}\n`);
    const request = ["req", "-new", "-config", path("cnf"), "-key", path("key"), "-subj"];
    openssl(...request, "/CN=ca", "-x509", "-days", "2", "-out", path("ca"), ...signature);
    if (isVerified) {
      openssl(...request, "/CN=workload", "-out", path("request"));
      const by = ["-CA", path("ca"), "-CAkey", path("key"), "-set_serial", "2", ...signature];
      openssl("x509", "-req", "-in", path("request"), "-out", path("workload"), ...by);
      for (const purpose of ["sslserver", "sslclient"]) {
        openssl("verify", "-purpose", purpose, "-CAfile", path("ca"), path("workload"));
      }
    }
    return new X509Certificate(readFileSync(path("ca")));
  });

describe("caProblems", () => {
  const problems = async (wanted: Wanted, isVerified = false) => caProblems(await make(wanted, isVerified), new Date());

  const pss = (salt: string) => ["-sha256", "-sigopt", "rsa_padding_mode:pss", "-sigopt", `rsa_pss_saltlen:${salt}`];
  const accepted: [string, Wanted][] = [
    ["an RSA key", { key: rsa }],
    ["a short RSA key", { key: generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey }],
    ["Ed25519", { key: generateKeyPairSync("ed25519").privateKey, signature: [] }],
    ...["P-224", "P-256", "P-384", "P-521"].map((name): [string, Wanted] => [name, { key: ec(name) }]),
    ["SHA-384", { signature: ["-sha384"] }],
    ["SHA-512", { key: rsa, signature: ["-sha512"] }],
    ["PSS", { key: rsa, signature: pss("32") }],
    ["keyUsage with keyCertSign alone", { extensions: ["keyUsage = critical, keyCertSign"] }],
    ["extendedKeyUsage for both sides", { extensions: ["extendedKeyUsage = clientAuth, serverAuth"] }],
    ["an extension that nobody knows", { extensions: ["1.2.3.4 = ASN1:NULL"] }],
  ];
  for (const [what, wanted] of accepted) {
    it(`accepts ${what}, as openssl does`, async () => assert.deepEqual(await problems(wanted, true), []));
  }

  const INSTEAD = "make a CA with ECDSA P-256 or P-384, RSA or Ed25519";
  const MTLS =
    '"CN=ca" is not for mTLS: have it issued anew with serverAuth and clientAuth in its extendedKeyUsage, or without that';
  const signed = (how: string) =>
    `"CN=ca" is signed with ${how}, which Istio does not verify: have it issued anew with SHA-256`;
  const refused: [string, Wanted, string][] = [
    [
      "keyUsage without keyCertSign",
      { extensions: ["keyUsage = critical, cRLSign, digitalSignature"] },
      '"CN=ca" may not sign certificates: have it issued anew with keyCertSign in its keyUsage',
    ],
    ["extendedKeyUsage for servers only", { extensions: ["extendedKeyUsage = serverAuth"] }, MTLS],
    ["extendedKeyUsage for clients only", { extensions: ["extendedKeyUsage = clientAuth"] }, MTLS],
    [
      "extendedKeyUsage for anything, which Envoy does not take",
      { extensions: ["extendedKeyUsage = anyExtendedKeyUsage"] },
      MTLS,
    ],
    [
      "a critical extension that nobody knows",
      { extensions: ["1.2.3.4 = critical, ASN1:NULL"] },
      '"CN=ca" has a critical extension that Istio does not know: have it issued anew without 1.2.3.4',
    ],
    ["extendedKeyUsage for something else", { extensions: ["extendedKeyUsage = codeSigning"] }, MTLS],
    ["SHA-1", { signature: ["-sha1"] }, signed("SHA-1")],
    ["MD5", { key: rsa, signature: ["-md5"] }, signed("MD5")],
    ["SHA-224", { key: rsa, signature: ["-sha224"] }, signed("1.2.840.113549.1.1.14")],
    ["PSS with another salt", { key: rsa, signature: pss("20") }, signed("RSA-PSS, SHA-256 and a salt of 20 bytes")],
    [
      "a very short RSA key",
      { key: generateKeyPairSync("rsa", { modulusLength: 768 }).privateKey },
      `"CN=ca" has a key of RSA with 768 bits, and Istio takes 1024 to 8192: ${INSTEAD}`,
    ],
    [
      "secp256k1",
      { key: ec("secp256k1") },
      `"CN=ca" has a key on the curve secp256k1, which Istio does not know: ${INSTEAD}`,
    ],
    [
      "a curve that is written out",
      { key: generateKeyPairSync("ec", { namedCurve: "P-256", paramEncoding: "explicit" }).privateKey },
      '"CN=ca" has a key of ECDSA with its curve written out, which Istio does not read: make a CA with a named curve',
    ],
    [
      "a key for PSS alone",
      { key: generateKeyPairSync("rsa-pss", { modulusLength: 2048 }).privateKey, signature: pss("32") },
      `"CN=ca" has a key of the kind rsa-pss, with which Istio does not sign: ${INSTEAD}`,
    ],
  ];
  for (const [what, wanted, problem] of refused) {
    it(`refuses ${what}`, async () => assert.deepEqual(await problems(wanted), [problem]));
  }

  it("does not look at the signature of a root: nobody does", async () => {
    assert.deepEqual(caProblems(await make({ signature: ["-sha1"] }), new Date(), { isRoot: true }), []);
  });

  it("refuses a key of an algorithm that nobody knows", async () => {
    const { raw } = await make({});
    raw[raw.indexOf("06072a8648ce3d0201", 0, "hex") + 8] = 9; // was id-ecPublicKey
    const problem = `"CN=ca" has a key that can't be read: ${INSTEAD}`;
    assert.deepEqual(caProblems(new X509Certificate(raw), new Date()), [problem]);
  });

  it("refuses an RSA key that is too long for Go's TLS", () => {
    const n = Buffer.alloc(8200 / 8, 0xff).toString("base64url");
    const long = createPublicKey({ key: { kty: "RSA", n, e: "AQAB" }, format: "jwk" });
    assert.equal(kindProblem(long), `of RSA with 8200 bits, and Istio takes 1024 to 8192: ${INSTEAD}`);
  });
});
