import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type * as pulumi from "@pulumi/pulumi";
import { CertificateAuthority, type CertificateAuthorityArgs } from "../../../components/certificateAuthority";
import { WorkloadIdentity } from "../../../components/workloadIdentity";
import { splitChain } from "../../../mesh/certificates";
import { generationOf } from "../../../mesh/rotation";
import { realTls } from "../realTls";
import { privateKey, runProgram, Secret, tlsOutputs, valueOf, withDirectory } from "../support";

/** A CA with the authorities of these names, the one that is wanted first. */
const make = (names: string[], args: CertificateAuthorityArgs = {}, outputs = tlsOutputs) => {
  const generations = names.map((name) => generationOf(name)!);
  return runProgram(() => new CertificateAuthority("ca", { ...args, generations }), { outputs });
};
const textOf = async (output: pulumi.Output<string> | undefined) => (await valueOf(output!)) as string;

describe("generations of a CertificateAuthority", () => {
  const made = async (...names: string[]) => {
    const { resources } = await make(names);
    return resources
      .filter(({ type }) => type.startsWith("tls:"))
      .map(({ name }) => name.replace(/^ca-/, ""))
      .sort();
  };
  /** What an authority has that the stack makes. */
  const intermediate = (name: string) => ["", "-key", "-request"].map((part) => `intermediate${name}${part}`);
  const root = (name: string) => [`root${name}`, `root${name}-key`];
  const crossed = (name: string, by: number) => [
    `root-${name.split(".")[0]}-by-${by}`,
    `root-${name.split(".")[0]}-by-${by}-request`,
    `intermediate-${name}-by-${by}`,
  ];
  const FIRST = [...root(""), ...intermediate("")];

  it("leave the first one alone, by whatever others it is joined: no stack's CA is replaced by this", async () => {
    const alone = await runProgram(() => new CertificateAuthority("ca"), { outputs: tlsOutputs });
    // But for certificates, which tests make anew each time.
    const inputs = (run: Awaited<ReturnType<typeof make>>, name: string) =>
      JSON.stringify(run.find(`ca-${name}`).inputs, (key, value: unknown) => (key === "caCertPem" ? "" : value));
    for (const names of [["1.1"], ["2.1", "1.1"], ["1.2", "1.1"], ["1.1", "2.1"]]) {
      const run = await make(names);
      for (const name of FIRST) assert.equal(inputs(run, name), inputs(alone, name), `${name} of ${names.join(" ")}`);
    }
  });

  it("have their numbers in their names, but for the first", async () => {
    assert.deepEqual(await made("1.1"), [...FIRST].sort());
    assert.deepEqual(await made("1.2"), [...root(""), ...intermediate("-1.2")].sort());
    assert.deepEqual(await made("1.2", "1.1"), [...FIRST, ...intermediate("-1.2")].sort());
    assert.deepEqual(await made("2.1"), [...root("-2"), ...intermediate("-2.1")].sort());
    const { find } = await make(["2.3", "1.1"]);
    assert.deepEqual(find("ca-root-2").inputs.subject, { organization: "Istio", commonName: "Root CA 2" });
    assert.deepEqual(find("ca-intermediate-2.3-request").inputs.subject, {
      organization: "Istio",
      commonName: "Root CA 2 Intermediate 3",
    });
  });

  it("have crossing certificates of a later root by each earlier one that is in use, and of no other", async () => {
    const two = [...FIRST, ...root("-2"), ...intermediate("-2.1"), ...crossed("2.1", 1)].sort();
    assert.deepEqual(await made("2.1", "1.1"), two);
    assert.deepEqual(await made("1.1", "2.1"), two, "the same when it is turned back");
    const third = [...root("-3"), ...intermediate("-3.1"), ...crossed("3.1", 1), ...crossed("3.1", 2)];
    assert.deepEqual(await made("3.1", "1.1", "2.1"), [...two, ...third].sort());
    const again = await made("2.2", "1.1", "2.1");
    assert.equal(again.filter((name) => name === "root-2-by-1").length, 1);
    assert.ok(again.includes("intermediate-2.2-by-1"));
  });

  it("are each signed by the root of their number, and crossing ones by the earlier", async () => {
    const { find } = await make(["2.1", "1.1"]);
    for (const [name, signer] of [
      ["ca-intermediate", "ca-root"],
      ["ca-intermediate-2.1", "ca-root-2"],
      ["ca-intermediate-2.1-by-1", "ca-root"],
      ["ca-root-2-by-1", "ca-root"],
    ] as const) {
      assert.deepEqual(find(name).inputs.caPrivateKeyPem, new Secret(privateKey(`${signer}-key`)), name);
      assert.equal(find(name).inputs.isCaCertificate, true);
      assert.ok(find(name).dependencies.includes(signer), name);
    }
    for (const [request, key] of [
      ["ca-root-2-by-1-request", "ca-root-2-key"],
      ["ca-intermediate-2.1-request", "ca-intermediate-2.1-key"],
    ] as const)
      assert.deepEqual(find(request).inputs.privateKeyPem, new Secret(privateKey(key)));
  });

  it("are had by name, and the first of them is the authority itself", async () => {
    const { result } = await make(["2.1", "1.1"]);
    assert.equal(await textOf(result.caCert), await textOf(result.generation("2.1")!.caCert));
    assert.notEqual(await textOf(result.caCert), await textOf(result.generation("1.1")!.caCert));
    assert.deepEqual(await valueOf(result.generation("1.1")!.caKey), new Secret(privateKey("ca-intermediate-key")));
    assert.equal(result.generation("1.1")!.crossChain, undefined);
    assert.equal(result.generation("3.1"), undefined);
    const provided = { rootCert: "root", caCert: "ca", certChain: "chain", caKey: "key" };
    const own = await runProgram(() => new CertificateAuthority("ca", { provided }));
    assert.equal(own.result.generation("1.1"), undefined);
  });

  it("stay what they are when another is to have another key and name", async () => {
    const { find } = await make(["2.1", "1.1"], { keyAlgorithm: "ECDSA-P384", commonName: "Mesh" });
    const ignored = (name: string) => find(name).ignoreChanges.sort();
    for (const name of ["ca-root-key", "ca-intermediate-key"])
      assert.deepEqual(ignored(name), ["algorithm", "ecdsaCurve", "rsaBits"]);
    for (const name of ["ca-root", "ca-intermediate-request"]) assert.deepEqual(ignored(name), ["subject"]);
    for (const name of ["root-2-key", "root-2", "intermediate-2.1-key", "intermediate-2.1-request"])
      assert.deepEqual(ignored(`ca-${name}`), [], name);
    const back = await make(["1.1", "2.1"], { commonName: "Mesh" });
    assert.deepEqual(back.find("ca-root").ignoreChanges, []);
    assert.deepEqual(back.find("ca-root-2-by-1-request").ignoreChanges, ["subject"], "it is that root's name");
  });

  it("are made anew before they end, but not before half of their lives", async () => {
    const hours = async (args: CertificateAuthorityArgs) => {
      const { find } = await make(["2.1", "1.1"], args);
      return ["ca-root-2", "ca-intermediate-2.1", "ca-root-2-by-1"].map((name) => find(name).inputs.earlyRenewalHours);
    };
    assert.deepEqual(await hours({}), [4380, 4380, 4380]);
    assert.deepEqual(await hours({ earlyRenewalHours: 10, rootValidityHours: 15 }), [7, 10, 10]);
    assert.deepEqual(await hours({ intermediateValidityHours: 48 }), [4380, 24, 24]);
  });

  describe("with real keys", () => {
    let old: string, next: string, caCert: string, cross: string, leaf: string;
    before(async () => {
      const workload = { trustDomain: "cluster.local", namespace: "vm", serviceAccount: "default" };
      const { result } = await runProgram(
        () => {
          const generations = ["2.1", "1.1"].map((name) => generationOf(name)!);
          const ca = new CertificateAuthority("ca", { generations });
          return { ca, identity: new WorkloadIdentity("vm1", { ...workload, ...ca }) };
        },
        { outputs: realTls() },
      );
      old = await textOf(result.ca.generation("1.1")!.rootCert);
      next = await textOf(result.ca.rootCert);
      caCert = await textOf(result.ca.caCert);
      cross = await textOf(result.ca.crossChain);
      leaf = splitChain(await textOf(result.identity.certChain))[0]!;
    });

    /** @throws if openssl does not believe it that knows that root, and has been given those certificates */
    const verify = (root: string, given: string, certificate: string) =>
      withDirectory((directory) => {
        const files = Object.entries({ root, given, certificate }).map(([name, pem]) => {
          writeFileSync(join(directory, name), pem);
          return join(directory, name);
        });
        execFileSync("openssl", ["verify", "-CAfile", files[0]!, "-untrusted", files[1]!, files[2]!], {
          stdio: "pipe",
        });
      });

    it("are believed by who knows the earlier root only, and by who knows the later one only", async () => {
      for (const root of [old, next]) await verify(root, cross, caCert);
      await assert.rejects(async () => verify(old, caCert, caCert), /unable to get local issuer certificate/);
    });

    it("certify hosts for both: by the way of the later root, and by a way that is short enough for the earlier one", async () => {
      const [first, , last] = splitChain(cross);
      await verify(next, cross, leaf);
      await verify(old, last!, leaf);
      await assert.rejects(async () => verify(old, first!, leaf), /unable to get local issuer certificate/);
    });

    it("go the way through the later root first: Envoy takes the first issuer that fits", () => {
      const [own, root2, byOld, ...others] = splitChain(cross).map((pem) => new X509Certificate(pem));
      const [one, two] = [new X509Certificate(old), new X509Certificate(next)];
      assert.deepEqual(others, []);
      assert.equal(own!.toString(), new X509Certificate(caCert).toString());
      assert.ok(own!.checkIssued(root2!) && own!.verify(root2!.publicKey));
      assert.ok(root2!.checkIssued(one) && root2!.verify(one.publicKey));
      assert.deepEqual(
        root2!.publicKey.export({ type: "spki", format: "pem" }),
        two.publicKey.export({ type: "spki", format: "pem" }),
      );
      assert.equal(root2!.subject, two.subject);
      assert.ok(byOld!.checkIssued(one) && byOld!.verify(one.publicKey));
      assert.equal(byOld!.subject, own!.subject);
    });
  });
});
