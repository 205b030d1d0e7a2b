import assert from "node:assert/strict";
import {
  assertRoot,
  assertWorkload,
  inspectCertificate,
  normalCertificates,
  splitChain,
  wantedOfCertificates,
} from "../../../mesh/certificates";
import { spiffeId } from "../../../mesh/spiffe";
import { certificate, privateKey } from "../support";

const ID = "spiffe://cluster.local/ns/vm/sa/default";

it("spiffeId is Istio's", () => {
  assert.equal(spiffeId({ trustDomain: "cluster.local", namespace: "vm", serviceAccount: "default" }), ID);
});

describe("inspectCertificate", () => {
  it("reads the first certificate of a chain", async () => {
    const leaf = await certificate({ subject: "CN=leaf", uris: [ID], names: ["vm1"] });
    const root = await certificate({ subject: "CN=root, O=Istio", ca: true, pathLength: 1 });
    const validity = { notBefore: new Date("2026-01-01T00:00:00Z"), notAfter: new Date("2027-01-01T00:00:00Z") };
    assert.deepEqual(inspectCertificate(leaf + root), {
      subject: "CN=leaf",
      isCa: false,
      pathLength: undefined,
      uris: [ID],
      ...validity,
    });
    assert.deepEqual(inspectCertificate(root + leaf), {
      subject: "CN=root, O=Istio",
      isCa: true,
      pathLength: 1,
      uris: [],
      ...validity,
    });
  });
});

describe("splitChain", () => {
  it("takes a chain apart, whatever stands between its certificates", async () => {
    const [one, two] = [await certificate({ subject: "CN=one" }), await certificate({ subject: "CN=two" })];
    const text = `subject=CN = one\n${one}\n\n# two - the issuer\r\n${two.trimEnd()}`;
    assert.deepEqual(
      splitChain(text).map((pem) => inspectCertificate(pem).subject),
      ["CN=one", "CN=two"],
    );
    assert.deepEqual(splitChain(one + two), [one.trimEnd(), two.trimEnd()]);
  });

  it("takes certificates only, and only whole ones", async () => {
    const one = await certificate({});
    assert.deepEqual(splitChain(""), []);
    assert.deepEqual(splitChain(privateKey("vm1")), []);
    assert.deepEqual(splitChain(privateKey("vm1") + one), [one.trimEnd()]);
    assert.deepEqual(splitChain(one.slice(0, 200) + one), [one.trimEnd()]);
  });
});

describe("normalCertificates", () => {
  let one: string, two: string;
  before(async () => {
    [one, two] = [await certificate({ subject: "CN=one" }), await certificate({ subject: "CN=two" })];
  });

  const changes: [string, (text: string) => string][] = [
    ["nothing around it", (text) => text],
    ["what openssl x509 -text writes", (text) => `Certificate:\n    Data:\n        Version: 3 (0x2)\n${text}`],
    ["what openssl pkcs12 writes", (text) => `Bag Attributes\n    localKeyID: 01 \nsubject=CN = one\n\n${text}`],
    ["comments and blank lines", (text) => `# the root - of all\n\n${text}\n\n# end`],
    ["Windows' line ends", (text) => text.replaceAll("\n", "\r\n")],
    ["a byte order mark", (text) => `\uFEFF${text}`],
    ["no last newline", (text) => text.trimEnd()],
    ["lines that are indented and end in spaces", (text) => text.replaceAll("\n", " \t\n  ")],
    ["one long line", (text) => text.replace(/(?<=[^-])\n(?=[^-])/g, "")],
    ["spaces for line ends, as YAML folds it", (text) => text.replaceAll("\n", " ")],
    ["the same again", (text) => text + text],
  ];
  for (const [what, change] of changes) {
    it(`takes a certificate with ${what}`, () => {
      assert.equal(wantedOfCertificates(change(one)), undefined);
      assert.equal(normalCertificates(change(one)), one);
    });
  }

  it("keeps the order, and each once", () => {
    assert.equal(normalCertificates(two.trimEnd() + one + two), two + one);
  });

  it("lets no private key pass", () => {
    assert.equal(wantedOfCertificates(one + privateKey("vm1")), "a certificate in PEM");
  });
});

describe("assertRoot", () => {
  it("takes a CA of path length 1", async () => {
    const pem = await certificate({ ca: true, pathLength: 1 });
    assert.equal(assertRoot(pem), pem);
  });

  for (const [what, options, found] of [
    ["path length 0", { ca: true, pathLength: 0 }, "one of path length 0"],
    ["path length 2", { ca: true, pathLength: 2 }, "one of path length 2"],
    ["no path length", { ca: true }, "one of path length unlimited"],
    ["no CA", { ca: false }, "no CA"],
    ["no constraints", {}, "no CA"],
  ] as const) {
    it(`refuses ${what}`, async () => {
      const pem = await certificate({ subject: "CN=Root CA", ...options });
      assert.throws(
        () => assertRoot(pem),
        new RegExp(`^Error: IVM403 the root certificate "CN=Root CA" must be a CA of path length 1, but is ${found}$`),
      );
    });
  }
});

describe("assertWorkload", () => {
  it("takes the one SPIFFE ID, and names of other kinds beside it", async () => {
    for (const options of [{}, { ca: false }, { names: ["vm1.example.org"] }]) {
      const pem = await certificate({ uris: [ID], ...options });
      assert.equal(assertWorkload(pem, ID), pem);
    }
  });

  for (const [what, options, found] of [
    ["none", {}, "but has none"],
    ["a DNS name only", { names: ["vm1"] }, "but has none"],
    ["another's", { uris: [`${ID}2`] }, `but has ${ID}2`],
    ["two", { uris: [ID, `${ID}2`] }, `but has ${ID}, ${ID}2`],
    ["the same twice", { uris: [ID, ID] }, `but has ${ID}, ${ID}`],
  ] as [string, object, string][]) {
    it(`refuses ${what}`, async () => {
      const pem = await certificate(options);
      assert.throws(() => assertWorkload(pem, ID), {
        message: `IVM407 the certificate of ${ID} must have that one URI SAN, ${found}`,
      });
    });
  }

  it("refuses a CA", async () => {
    const pem = await certificate({ ca: true, uris: [ID] });
    assert.throws(() => assertWorkload(pem, ID), { message: `IVM407 the certificate of ${ID} must not be a CA` });
  });
});
