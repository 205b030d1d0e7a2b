import assert from "node:assert/strict";
import { createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";
import { CheckError } from "../errors";
import type { ResourceType } from "../provider";
import { certRequest, locallySignedCert, privateKey, selfSignedCert } from "../tls/main";
import { isSecret, Obj, plain, secret, UNKNOWN } from "../values";
import { about, checkRequest, createRequest, diffRequest } from "./support";

const HOUR = 3_600_000;

/** Creates a resource as the engine does, and gives its state without secret wrappers. */
async function make<T = Record<string, string>>(type: ResourceType, inputs: Obj): Promise<T> {
  const checked = await type.check(checkRequest(inputs));
  return plain<T>((await type.create(createRequest(checked))).state);
}

const newKey = (algorithm: Obj = { algorithm: "ECDSA", ecdsaCurve: "P256" }) => make(privateKey, algorithm);

const rootInputs = (privateKeyPem: unknown): Obj => ({
  privateKeyPem,
  subject: { commonName: "Root CA", organization: "Istio" },
  allowedUses: ["cert_signing", "crl_signing"],
  validityPeriodHours: 48,
  isCaCertificate: true,
  maxPathLength: 1,
});

/** The dotted or named values of an extension as OpenSSL would show them are not in node: look for the DER. */
const contains = (pem: string, hex: string): boolean => new X509Certificate(pem).raw.toString("hex").includes(hex);

// DER of the extensions: OID, critical (0101ff), value.
const CRITICAL = "0101ff";
const basicConstraints = (value: string) => `0603551d13${CRITICAL}04${value}`;
const KEY_USAGE = `0603551d0f${CRITICAL}04`;

describe("stand-ins: tls private keys", () => {
  const algorithms = [
    { algorithm: "ECDSA", ecdsaCurve: "P256", header: "EC PRIVATE KEY" },
    { algorithm: "ECDSA", ecdsaCurve: "P384", header: "EC PRIVATE KEY" },
    { algorithm: "RSA", rsaBits: 4096, header: "RSA PRIVATE KEY" },
  ];
  for (const { header, ...inputs } of algorithms) {
    it(`makes a key in its traditional form: ${inputs.algorithm} ${inputs.ecdsaCurve ?? inputs.rsaBits}`, async () => {
      const { privateKeyPem, publicKeyPem } = await newKey(inputs);
      assert.ok(privateKeyPem!.startsWith(`-----BEGIN ${header}-----\n`));
      const publicKey = createPublicKey(createPrivateKey(privateKeyPem!));
      assert.equal(publicKey.export({ type: "spki", format: "pem" }), publicKeyPem);
      const { namedCurve, modulusLength } = publicKey.asymmetricKeyDetails!;
      const curves: Record<string, string> = { prime256v1: "P256", secp384r1: "P384" };
      assert.deepEqual([namedCurve && curves[namedCurve], modulusLength], [inputs.ecdsaCurve, inputs.rsaBits]);
    });
  }

  it("marks the private key as secret, in the preview as well, and nothing else", async () => {
    for (const preview of [true, false]) {
      const { state } = await privateKey.create(createRequest({ algorithm: "ECDSA", ecdsaCurve: "P256" }, preview));
      const secrets = Object.keys(state).filter((key) => isSecret(state[key]));
      assert.deepEqual(secrets, ["privateKeyPem"]);
      if (preview) assert.deepEqual([state.publicKeyPem, state.privateKeyPem], [UNKNOWN, secret(UNKNOWN)]);
    }
  });

  it("refuses algorithms, curves and sizes that it does not implement", () => {
    for (const inputs of [
      { algorithm: "DSA" },
      { algorithm: "ECDSA" }, // Its default is P224.
      { algorithm: "ECDSA", ecdsaCurve: "P521" },
      { algorithm: "RSA" }, // Its default is 2048 bits.
      { algorithm: "ED25519" },
      { ecdsaCurve: "P256" },
    ]) {
      assert.throws(() => privateKey.check(checkRequest(inputs)), CheckError, JSON.stringify(inputs));
    }
  });

  it("is replaced when an input changes, but not for a default that is spelled out", async () => {
    const replaced = await privateKey.diff(diffRequest({ algorithm: "RSA" }, { algorithm: "RSA", rsaBits: 4096 }));
    assert.deepEqual(replaced.replaces, ["rsaBits"]);
    const same = await privateKey.diff(diffRequest({ algorithm: "RSA" }, { algorithm: "RSA", rsaBits: 2048 }));
    assert.equal(same.changes.size, 0);
  });
});

describe("stand-ins: tls certificates", () => {
  let rootKey: Record<string, string>;
  let root: Record<string, string>;
  before(async () => {
    rootKey = await newKey();
    root = await make(selfSignedCert, rootInputs(rootKey.privateKeyPem));
  });

  const sign = (certRequestPem: string, more: Obj = {}) =>
    make(locallySignedCert, {
      certRequestPem,
      caCertPem: root.certPem,
      caPrivateKeyPem: rootKey.privateKeyPem,
      allowedUses: ["digital_signature", "key_encipherment", "server_auth", "client_auth"],
      validityPeriodHours: 24,
      ...more,
    });

  it("makes a self-signed root", () => {
    const certificate = new X509Certificate(root.certPem!);
    assert.ok(certificate.ca && certificate.verify(certificate.publicKey));
    assert.equal(certificate.subject, "O=Istio\nCN=Root CA");
    assert.ok(contains(root.certPem!, basicConstraints("0830060101ff020101")), "path length 1, critical");
    assert.ok(contains(root.certPem!, `${KEY_USAGE}0403020106`), "certificate and CRL signing, critical");
    assert.equal(root.keyAlgorithm, "ECDSA");
    const lifetime = Date.parse(root.validityEndTime!) - Date.parse(root.validityStartTime!);
    assert.equal(lifetime, 48 * HOUR);
    assert.ok(Math.abs(Date.now() - Date.parse(certificate.validFrom)) < 10_000, "valid from now on");
  });

  it("signs a chain: an intermediate and a workload with one URI and no subject", async () => {
    const intermediateKey = await newKey({ algorithm: "RSA", rsaBits: 4096 });
    const request = await make(certRequest, {
      privateKeyPem: intermediateKey.privateKeyPem,
      subject: { commonName: "Intermediate", organization: "Istio" },
    });
    const intermediate = await sign(request.certRequestPem!, {
      isCaCertificate: true,
      maxPathLength: 0,
      allowedUses: ["cert_signing"],
    });
    const uri = "spiffe://cluster.local/ns/vm/sa/default";
    const workloadKey = await newKey({ algorithm: "ECDSA", ecdsaCurve: "P384" });
    const workloadRequest = await make(certRequest, {
      privateKeyPem: workloadKey.privateKeyPem,
      uris: [uri],
    });
    const workload = await sign(workloadRequest.certRequestPem!, {
      caCertPem: intermediate.certPem,
      caPrivateKeyPem: intermediateKey.privateKeyPem,
    });

    const [top, middle, leaf] = [root, intermediate, workload].map(({ certPem }) => new X509Certificate(certPem!));
    assert.ok(middle!.checkIssued(top!) && middle!.verify(top!.publicKey) && middle!.ca);
    assert.ok(leaf!.checkIssued(middle!) && leaf!.verify(middle!.publicKey) && !leaf!.ca);
    assert.ok(leaf!.checkPrivateKey(createPrivateKey(workloadKey.privateKeyPem!)));
    assert.ok(contains(intermediate.certPem!, basicConstraints("0530030101ff")), "path length 0 is ignored");
    assert.ok(contains(workload.certPem!, basicConstraints("023000")), "not a CA, said critically");
    assert.equal(leaf!.subject, undefined);
    assert.equal(leaf!.subjectAltName, `URI:${uri}`);
    assert.ok(contains(workload.certPem!, `0603551d11${CRITICAL}`), "alternative names are critical without a subject");
    assert.deepEqual(leaf!.keyUsage, ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]);
    assert.equal(workload.caKeyAlgorithm, "RSA");
  });

  it("names key ids: of CAs always, of others on request", async () => {
    const { certRequestPem } = await make(certRequest, { privateKeyPem: rootKey.privateKeyPem, uris: ["spiffe://a"] });
    const keyId = /0603551d0e04160414([0-9a-f]{40})/.exec(new X509Certificate(root.certPem!).raw.toString("hex"))![1]!;
    const authority = `0603551d23041830168014${keyId}`;
    assert.ok(!contains(root.certPem!, authority), "a root names no authority");
    const without = await sign(certRequestPem!);
    assert.ok(contains(without.certPem!, authority) && !contains(without.certPem!, "0603551d0e"));
    assert.ok(contains((await sign(certRequestPem!, { setSubjectKeyId: true })).certPem!, "0603551d0e"));
  });

  it("keeps keys secret and certificates public", async () => {
    const { state } = await selfSignedCert.create(createRequest(rootInputs(secret(rootKey.privateKeyPem))));
    assert.ok(isSecret(state.privateKeyPem) && typeof state.certPem === "string");
    assert.ok(!JSON.stringify({ ...state, privateKeyPem: 0 }).includes("PRIVATE KEY"));
    const unmarked = await selfSignedCert.create(createRequest(rootInputs(rootKey.privateKeyPem)));
    assert.ok(isSecret(unmarked.state.privateKeyPem), "secret even if the program does not say so");
    const preview = await selfSignedCert.create(createRequest(rootInputs(secret(UNKNOWN)), true));
    assert.deepEqual([preview.state.certPem, preview.state.privateKeyPem], [UNKNOWN, secret(UNKNOWN)]);
  });

  it("is replaced for every input but earlyRenewalHours", async () => {
    const inputs = rootInputs("pem");
    const state = { ...inputs, validityEndTime: new Date(Date.now() + 48 * HOUR).toISOString() };
    for (const change of [
      { validityPeriodHours: 49 },
      { privateKeyPem: "other" },
      { subject: { commonName: "Other", organization: "Istio" } },
      { allowedUses: ["cert_signing"] },
      { maxPathLength: 2 },
      { setSubjectKeyId: true },
    ]) {
      const { changes, replaces } = await selfSignedCert.diff(diffRequest(inputs, { ...inputs, ...change }, state));
      assert.ok(changes.size === 1 && [...replaces!].length === 1, JSON.stringify(change));
    }
    const { changes, replaces } = await selfSignedCert.diff(
      diffRequest(inputs, { ...inputs, earlyRenewalHours: 1 }, state),
    );
    assert.deepEqual([[...changes.keys()], replaces], [["earlyRenewalHours"], []]);
    const news = { ...inputs, earlyRenewalHours: 1 };
    const update = {
      ...createRequest(news),
      state: { ...state, certPem: "c" },
    };
    const updated = await selfSignedCert.update(update);
    assert.deepEqual([updated.certPem, updated.earlyRenewalHours], ["c", 1]);
  });

  it("is replaced within earlyRenewalHours of its end, and says so at a refresh", async () => {
    const inputs = { ...rootInputs("pem"), earlyRenewalHours: 2 };
    for (const [hoursLeft, due] of [
      [3, false],
      [1, true],
      [-1, true],
    ] as const) {
      const state = {
        ...inputs,
        readyForRenewal: false,
        validityEndTime: new Date(Date.now() + hoursLeft * HOUR).toISOString(),
      };
      const { replaces } = await selfSignedCert.diff(diffRequest(inputs, inputs, state));
      assert.deepEqual(replaces, due ? ["readyForRenewal"] : [], `${hoursLeft} hours left`);
      const read = await selfSignedCert.read({ ...about(), id: "1", inputs, state });
      assert.equal(read.state.readyForRenewal, due);
    }
  });

  it("refuses what cannot be", async () => {
    const key = rootKey.privateKeyPem;
    await assert.rejects(make(selfSignedCert, { ...rootInputs(key), subject: {} }), /needs at least one name/);
    await assert.rejects(make(selfSignedCert, { ...rootInputs(key), isCaCertificate: false }), /only CAs/);
    await assert.rejects(make(selfSignedCert, rootInputs("nonsense")), /privateKeyPem is not a private key/);
    const other = await newKey();
    const { certRequestPem } = await make(certRequest, { privateKeyPem: key, uris: ["spiffe://a"] });
    await assert.rejects(sign(certRequestPem!, { caPrivateKeyPem: other.privateKeyPem }), /not the key of caCertPem/);
    assert.throws(() => certRequest.check(checkRequest({ privateKeyPem: key, dnsNames: ["a"] })), CheckError);
    for (const wrong of [{ allowedUses: ["serverAuth"] }, { privateKeyPemWo: key }, { validityPeriodHours: -1 }]) {
      assert.throws(() => selfSignedCert.check(checkRequest({ ...rootInputs(key), ...wrong })), CheckError);
    }
  });
});
