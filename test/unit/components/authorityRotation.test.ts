import assert from "node:assert/strict";
import { load } from "js-yaml";
import * as pulumi from "@pulumi/pulumi";
import { AuthorityRotation, type AuthorityRotationArgs } from "../../../components/authorityRotation";
import { CertificateAuthority } from "../../../components/certificateAuthority";
import { CaCertsSecret, type CaCertsSecretArgs } from "../../../components/caCertsSecret";
import { IstioControlPlane } from "../../../components/istioControlPlane";
import { parseManifests } from "../../../mesh/manifests";
import { withHooks } from "../hooks";
import { filesIn, runProgram, UNKNOWN } from "../support";

describe("AuthorityRotation", () => {
  const authorities = { known: ["1.1", "2.1"], signer: "1.1" };
  const make = (changes: Partial<AuthorityRotationArgs> = {}) => {
    const args = { authorities, moves: true, root: "root\n", owner: "me", settle: async () => {}, ...changes };
    return withHooks(() => runProgram(() => new AuthorityRotation("authorities", args)));
  };
  const meshConfig = ({ find }: Awaited<ReturnType<typeof make>>) =>
    (find("authorities-trust").inputs.data as { mesh: string }).mesh;

  it("tells agents of the occasion, and then waits: what it waited for stays in the stack", async () => {
    const run = await make();
    const { resources, find } = run;
    assert.deepEqual(
      resources.map(({ type, name, parent, dependencies }) => [type.split(":").at(-1), name, parent, dependencies]),
      [
        ["AuthorityRotation", "authorities", undefined, []],
        ["ConfigMap", "authorities-trust", "authorities", []],
        ["Stash", "authorities-settled", "authorities", ["authorities-trust"]],
      ],
    );
    assert.deepEqual(find("authorities-trust").inputs.metadata, {
      name: "istio-vm-trust",
      namespace: "istio-system",
      labels: { "pulumi-istio-vm/owner": "me" },
    });
    assert.deepEqual(load(meshConfig(run)), { caCertificates: [{ pem: "root\n# 1.1 of 1.1 2.1\n" }] });
    assert.equal(find("authorities-settled").inputs.input, "1.1 of 1.1 2.1");
    assert.deepEqual(find("authorities-settled").asksBefore, { create: true, update: true });
  });

  it("waits whenever the authorities are others than what it waited for, and at first if this update moves them", async () => {
    let waited = 0;
    const settle = () => Promise.resolve().then(() => void waited++);
    for (const [moves, hook, times] of [
      [true, "create", 1],
      [true, "update", 1],
      [false, "create", 0],
      [false, "update", 1],
    ] as const) {
      const { callHook } = await make({ moves, settle });
      waited = 0;
      await callHook(`authorities-${hook}`);
      assert.equal(waited, times, `${hook}, ${moves}`);
    }
  });

  it("fails where it can't be awaited: it is not kept then, and the next update waits again", async () => {
    const { callHook } = await make({ settle: () => Promise.reject(new Error("vm1 lacks it")) });
    await assert.rejects(callHook("authorities-update"), /^Error: vm1 lacks it$/);
  });

  it("is another occasion with each change of the authorities, and where somebody may have missed it", async () => {
    const texts: string[] = [];
    for (const changes of [
      {},
      { authorities: { ...authorities, signer: "2.1" } },
      { authorities: { known: ["2.1"], signer: "2.1" } },
      { again: new Date("2026-11-27T00:00:00Z") },
      { again: new Date("2026-11-27T00:00:01Z") },
    ])
      texts.push(meshConfig(await make(changes)));
    assert.equal(new Set(texts).size, texts.length);
    assert.equal(meshConfig(await make()), texts[0]);
    const again = await make({ again: new Date("2026-11-27T00:00:00Z") });
    assert.equal(again.find("authorities-settled").inputs.input, "1.1 of 1.1 2.1", "nothing else is awaited by that");
  });

  it("knows its texts in a preview only as far as the root is known", async () => {
    const { find } = await runProgram(
      () => {
        const { rootCert: root } = new CertificateAuthority("ca");
        return new AuthorityRotation("a", { authorities, moves: true, root, owner: "me", settle: async () => {} });
      },
      { preview: true },
    );
    assert.deepEqual(find("a-trust").inputs.data, { mesh: UNKNOWN });
    assert.equal(find("a-settled").inputs.input, "1.1 of 1.1 2.1");
  });
});

describe("CaCertsSecret of several authorities", () => {
  const files = { rootCert: "roots", caCert: "ca", certChain: "chain", caKey: "key" };
  const secret = async (changes: Partial<CaCertsSecretArgs> = {}) => {
    const { find } = await runProgram(() => new CaCertsSecret("cacerts", { ...files, owner: "me", ...changes }));
    return find("cacerts-secret");
  };
  const OF_SIGNER = ["ca-cert.pem", "cert-chain.pem", "ca-key.pem"].map((file) => `data["${file}"]`);

  it("says which there are", async () => {
    const authorities = { known: ["1.1", "2.1"], signer: "1.1", keys: { "1.1": "aa", "2.1": "bb" } };
    const { inputs } = await secret({ authorities: pulumi.output(authorities) });
    assert.deepEqual((inputs.metadata as { annotations: object }).annotations, {
      "pulumi-istio-vm/authorities": "1.1=aa 2.1=bb",
      "pulumi-istio-vm/signer": "1.1",
    });
    assert.equal(filesIn(inputs)["ca-key.pem"], "key", "and what is said is no secret");
  });

  it("leaves what is the signer's as it is, if that is not in the program any more, and nothing else", async () => {
    const { inputs, ignoreChanges } = await secret({ keepsSigner: true });
    assert.deepEqual(ignoreChanges, OF_SIGNER);
    // Where nothing was before, the engine takes away what is ignored: these are where the provider keeps them.
    assert.deepEqual(Object.keys(filesIn(inputs)).sort(), [
      "ca-cert.pem",
      "ca-key.pem",
      "cert-chain.pem",
      "root-cert.pem",
    ]);
    for (const changes of [{}, { keepsSigner: false }]) assert.deepEqual((await secret(changes)).ignoreChanges, []);
  });
});

describe("what istiod reads but when it starts", () => {
  const manifest = parseManifests(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: istiod, namespace: istio-system, labels: {app: istiod}}
spec: {replicas: 1, template: {metadata: {labels: {app: istiod}, annotations: {theirs: "1"}}, spec: {a: 1}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: gateway, namespace: istio-system, labels: {app: gateway}}
spec: {template: {metadata: {labels: {app: gateway}}}}`);
  const deployments = async (readAtStart?: pulumi.Input<string>) => {
    const { find } = await runProgram(() => new IstioControlPlane("istio", { manifest, owner: "me", readAtStart }));
    return ["istiod", "gateway"].map((name) => find(`istio-Deployment/istio-system/${name}`).inputs.spec);
  };
  const [istiod, gateway] = manifest.map(({ spec }) => spec);

  it("is an annotation of its pods, beside their own, and of no others", async () => {
    const expected = {
      replicas: 1,
      template: {
        metadata: { labels: { app: "istiod" }, annotations: { theirs: "1", "pulumi-istio-vm/read-at-start": "abc" } },
        spec: { a: 1 },
      },
    };
    assert.deepEqual(await deployments(pulumi.output("abc")), [expected, gateway]);
  });

  it("is none where nothing is said of it", async () => {
    assert.deepEqual(await deployments(), [istiod, gateway]);
  });
});
