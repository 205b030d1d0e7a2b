import assert from "node:assert/strict";
import * as pulumi from "@pulumi/pulumi";
import { CaCertsSecret } from "../../../components/caCertsSecret";
import { CertificateAuthority, type KeyAlgorithm } from "../../../components/certificateAuthority";
import { WorkloadIdentity, type WorkloadIdentityArgs } from "../../../components/workloadIdentity";
import { inspectCertificate } from "../../../mesh/certificates";
import {
  certificate,
  filesIn,
  type Outputs,
  privateKey,
  runProgram,
  Secret,
  tlsOutputs,
  UNKNOWN,
  valueOf,
} from "../support";

const family = (resources: { type: string; name: string; parent?: string }[]) =>
  resources.map(({ type, name, parent }) => [type.split(":").at(-1), name, parent]).sort();

describe("CertificateAuthority", () => {
  const make = (args?: ConstructorParameters<typeof CertificateAuthority>[1], outputs: Outputs = tlsOutputs) =>
    runProgram(() => new CertificateAuthority("ca", args), { outputs });

  it("makes a root of path length 1 and an intermediate below it", async () => {
    const { resources, find, result } = await make();
    assert.deepEqual(family(resources), [
      ["CertRequest", "ca-intermediate-request", "ca"],
      ["CertificateAuthority", "ca", undefined],
      ["LocallySignedCert", "ca-intermediate", "ca"],
      ["PrivateKey", "ca-intermediate-key", "ca"],
      ["PrivateKey", "ca-root-key", "ca"],
      ["SelfSignedCert", "ca-root", "ca"],
    ]);
    assert.deepEqual(find("ca-root").inputs, {
      privateKeyPem: new Secret(privateKey("ca-root-key")),
      subject: { organization: "Istio", commonName: "Root CA" },
      isCaCertificate: true,
      maxPathLength: 1,
      setSubjectKeyId: true,
      validityPeriodHours: 87600,
      earlyRenewalHours: 4380,
      allowedUses: ["cert_signing", "crl_signing"],
    });
    const request = find("ca-intermediate-request").inputs;
    assert.deepEqual(request, {
      privateKeyPem: new Secret(privateKey("ca-intermediate-key")),
      subject: { organization: "Istio", commonName: "Root CA Intermediate" },
    });
    const { caCertPem, certRequestPem, ...rest } = find("ca-intermediate").inputs;
    assert.deepEqual(rest, {
      caPrivateKeyPem: new Secret(privateKey("ca-root-key")),
      isCaCertificate: true,
      setSubjectKeyId: true,
      validityPeriodHours: 43800,
      earlyRenewalHours: 4380,
      allowedUses: ["digital_signature", "key_encipherment", "cert_signing", "crl_signing"],
    });
    assert.deepEqual(JSON.parse(certRequestPem as string), { subject: request.subject });

    const root = await valueOf(result.rootCert);
    const intermediate = await valueOf(result.caCert);
    assert.equal(root, caCertPem);
    assert.equal(await valueOf(result.certChain), `${String(intermediate)}${String(root)}`);
    assert.equal(inspectCertificate(intermediate as string).subject, "CN=ca-intermediate");
    assert.deepEqual(await valueOf(result.caKey), new Secret(privateKey("ca-intermediate-key")));
  });

  it("takes names, validity and algorithm", async () => {
    const args = { organization: "Acme", commonName: "Mesh", rootValidityHours: 10, intermediateValidityHours: 5 };
    const { find } = await make(args);
    assert.deepEqual(find("ca-root").inputs.subject, { organization: "Acme", commonName: "Mesh" });
    assert.deepEqual(find("ca-intermediate-request").inputs.subject, {
      organization: "Acme",
      commonName: "Mesh Intermediate",
    });
    assert.equal(find("ca-root").inputs.validityPeriodHours, 10);
    assert.equal(find("ca-intermediate").inputs.validityPeriodHours, 5);
    const algorithms: [KeyAlgorithm, object][] = [
      ["ECDSA-P256", { algorithm: "ECDSA", ecdsaCurve: "P256" }],
      ["ECDSA-P384", { algorithm: "ECDSA", ecdsaCurve: "P384" }],
      ["RSA-4096", { algorithm: "RSA", rsaBits: 4096 }],
    ];
    for (const [keyAlgorithm, inputs] of algorithms) {
      const run = await make({ keyAlgorithm });
      for (const key of ["ca-root-key", "ca-intermediate-key"]) assert.deepEqual(run.find(key).inputs, inputs);
    }
  });

  it("makes nothing of a provided one, and keeps its key secret", async () => {
    const provided = { rootCert: "root", caCert: "ca", certChain: "chain", caKey: "key" };
    const { resources, result } = await make({ provided, organization: "ignored" });
    assert.deepEqual(family(resources), [["CertificateAuthority", "ca", undefined]]);
    const { rootCert, caCert, certChain, caKey } = result;
    assert.deepEqual(await Promise.all([rootCert, caCert, certChain].map(valueOf)), ["root", "ca", "chain"]);
    assert.deepEqual(await valueOf(caKey), new Secret("key"));
  });

  it("fails when the root could sign more than one level", async () => {
    const unlimited: Outputs = async (resource) =>
      resource.name === "ca-root" ? { certPem: await certificate({ ca: true }) } : tlsOutputs(resource);
    const failing = runProgram(
      () => valueOf(new CertificateAuthority("ca", {}).rootCert).catch((error: Error) => error.message),
      { outputs: unlimited },
    );
    await assert.rejects(
      failing,
      /the root certificate "CN=test" must be a CA of path length 1, but is one of path length unlimited/,
    );
  });

  it("knows nothing in a first preview", async () => {
    const { result } = await runProgram(() => new CertificateAuthority("ca"), { preview: true });
    assert.equal(await valueOf(result.rootCert), UNKNOWN);
    assert.deepEqual(await valueOf(result.caKey), new Secret(UNKNOWN));
  });
});

describe("CaCertsSecret", () => {
  it("puts Istio's four files into istio-system, the key as a secret", async () => {
    const args = { rootCert: "root", caCert: "ca", certChain: "chain", caKey: "key", owner: "me" };
    const { resources, find, result } = await runProgram(() => new CaCertsSecret("cacerts", args));
    const labels = { "pulumi-istio-vm/owner": "me" };
    assert.deepEqual(family(resources), [
      ["CaCertsSecret", "cacerts", undefined],
      ["Command", "cacerts-leftovers", "cacerts"],
      ["Namespace", "cacerts-namespace", "cacerts"],
      ["Secret", "cacerts-secret", "cacerts"],
    ]);
    assert.deepEqual(find("cacerts-namespace").inputs.metadata, { name: "istio-system", labels });
    const { inputs } = find("cacerts-secret");
    assert.deepEqual(inputs.metadata, { name: "cacerts", namespace: "istio-system", labels });
    const files = { "root-cert.pem": "root", "ca-cert.pem": "ca", "cert-chain.pem": "chain", "ca-key.pem": "key" };
    assert.deepEqual(filesIn(inputs), files);
    assert.deepEqual(find("cacerts-secret").dependencies, ["cacerts-namespace"]);
    assert.equal(await valueOf(result.namespace), "istio-system");
  });

  it("has revocation lists if there are any", async () => {
    const args = { rootCert: "root", caCert: "ca", certChain: "chain", caKey: "key", owner: "me" };
    const { find } = await runProgram(() => new CaCertsSecret("cacerts", { ...args, revocationLists: "lists" }));
    const files = filesIn(find("cacerts-secret").inputs);
    assert.equal(files["ca-crl.pem"], "lists");
  });

  it("removes what istiod leaves in other namespaces, after istio-system is gone", async () => {
    const access = { kubeconfig: "my config", context: "prod" };
    const args = { rootCert: "root", caCert: "ca", certChain: "chain", caKey: "key", owner: "me", access };
    const { find } = await runProgram(() => new CaCertsSecret("cacerts", args));
    assert.deepEqual(find("cacerts-leftovers").inputs, {
      delete:
        "'kubectl' '--kubeconfig' 'my config' '--context' 'prod' 'delete' 'configmaps' '--all-namespaces' " +
        "'--selector=istio.io/config=true' '--ignore-not-found'",
    });
    assert.deepEqual(find("cacerts-namespace").dependencies, ["cacerts-leftovers"]);
  });
});

describe("WorkloadIdentity", () => {
  const ID = "spiffe://cluster.local/ns/vm/sa/default";
  const args: WorkloadIdentityArgs = {
    trustDomain: "cluster.local",
    namespace: "vm",
    serviceAccount: "default",
    caCert: "ca\n",
    caKey: "key",
    certChain: "chain\n",
  };
  const make = (changes: Partial<WorkloadIdentityArgs> = {}, outputs: Outputs = tlsOutputs) =>
    runProgram(() => new WorkloadIdentity("vm1", { ...args, ...changes }), { outputs });

  it("makes a key of its own and a certificate for the one SPIFFE ID", async () => {
    const { resources, find, result } = await make();
    assert.deepEqual(family(resources), [
      ["CertRequest", "vm1-request", "vm1"],
      ["LocallySignedCert", "vm1-certificate", "vm1"],
      ["PrivateKey", "vm1-key", "vm1"],
      ["WorkloadIdentity", "vm1", undefined],
    ]);
    assert.deepEqual(find("vm1-key").inputs, { algorithm: "ECDSA", ecdsaCurve: "P256" });
    assert.deepEqual(find("vm1-request").inputs, {
      privateKeyPem: new Secret(privateKey("vm1-key")),
      subject: { organization: "Istio" },
      uris: [ID],
    });
    const { certRequestPem, ...rest } = find("vm1-certificate").inputs;
    assert.deepEqual((JSON.parse(certRequestPem as string) as { uris: string[] }).uris, [ID]);
    assert.deepEqual(rest, {
      caPrivateKeyPem: new Secret("key"),
      caCertPem: "ca\n",
      validityPeriodHours: 8760,
      earlyRenewalHours: 4380,
      allowedUses: ["digital_signature", "key_encipherment", "server_auth", "client_auth"],
    });
    assert.equal(await valueOf(result.spiffeId), ID);
    assert.deepEqual(await valueOf(result.key), new Secret(privateKey("vm1-key")));
    const chain = (await valueOf(result.certChain)) as string;
    assert.deepEqual(inspectCertificate(chain).uris, [ID]);
    assert.match(chain, /-----END CERTIFICATE-----\nchain\n$/);
  });

  it("takes Outputs and hours", async () => {
    const { find } = await make({ namespace: pulumi.output("db"), validityHours: 48, earlyRenewalHours: 24 });
    assert.deepEqual(find("vm1-request").inputs.uris, ["spiffe://cluster.local/ns/db/sa/default"]);
    const { validityPeriodHours, earlyRenewalHours } = find("vm1-certificate").inputs;
    assert.deepEqual([validityPeriodHours, earlyRenewalHours], [48, 24]);
  });

  for (const [what, options, error] of [
    ["another identity", { uris: [`${ID}x`] }, /must have that one URI SAN, but has spiffe:/],
    ["two identities", { uris: [ID, "spiffe://x"] }, /must have that one URI SAN, but has .*, spiffe:\/\/x$/],
    ["a CA", { ca: true, uris: [ID] }, /must not be a CA$/],
  ] as const) {
    it(`refuses a certificate that is for ${what}`, async () => {
      const wrong: Outputs = async (resource) =>
        resource.name === "vm1-certificate"
          ? { certPem: await certificate({ ...options, uris: [...options.uris] }) }
          : tlsOutputs(resource);
      await assert.rejects(make({}, wrong), error);
    });
  }
});
