import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { splitChain } from "../../mesh/certificates";
import { sha256 } from "../../mesh/digest";
import { certificateSet, keyDigest } from "../../mesh/rotation";
import { withHooks } from "./hooks";
import { realTls } from "./realTls";
import { authority, filesIn, valueOf, withCommands, withDirectory } from "./support";
import { type CaCerts, caCertsText } from "./tools/rotatingMesh";
import { commands, restoreConfig, run } from "./wholeProgram";

type Update = Awaited<ReturnType<typeof run>>;
const ISTIOD = "istio-Deployment/istio-system/istiod";

/** What an update leaves in the cluster, and what of that matters here. */
function left({ find }: Update) {
  const { inputs, ignoreChanges } = find("cacerts-secret");
  const files = filesIn(inputs);
  const { annotations, labels } = inputs.metadata as { annotations: Record<string, string>; labels: object };
  const { template } = find(ISTIOD).inputs.spec as { template: { metadata: { annotations: Record<string, string> } } };
  return {
    rootCert: files["root-cert.pem"]!,
    caCert: files["ca-cert.pem"]!,
    certChain: files["cert-chain.pem"]!,
    key: files["ca-key.pem"]!,
    annotations: Object.values(annotations).map((text) => text.replaceAll(/=[0-9a-f]{16}/g, "=")),
    keys: annotations["pulumi-istio-vm/authorities"]!,
    owner: Object.values(labels)[0] as string,
    keepsSigner: ignoreChanges.length > 0,
    readAtStart: template.metadata.annotations["pulumi-istio-vm/read-at-start"]!,
    settled: find("authorities-settled").inputs.input,
    occasion: (find("authorities-trust").inputs.data as { mesh: string }).mesh.trimEnd().split("\n").at(-1)!.trim(),
  };
}
type Left = ReturnType<typeof left>;

/** The secret that an update left, for the next. */
const found = ({ rootCert, caCert, certChain, owner, keys, settled }: Left): CaCerts => {
  const named = keys.split(" ").map((entry) => entry.split("=") as [string, string]);
  const signer = (settled as string).split(" ")[0]!;
  const notes = { known: named.map(([name]) => name), signer, keys: Object.fromEntries(named) };
  return { rootCert, caCert, certChain, owner, notes };
};

describe("the program, while another CA takes the place of the mesh's", () => {
  after(restoreConfig);

  /** Updates of one stack, one after the other. */
  const stack = (first?: CaCerts) => {
    const kept = new Map<string, string>();
    let cacerts = first;
    const update = (ca: object, changes: object = { hosts: [], services: [] }): Promise<Update> =>
      withDirectory(async (directory) => {
        const file = join(directory, "cacerts");
        writeFileSync(file, cacerts === undefined ? "" : await caCertsText(cacerts));
        const kubectl = `case "$*" in *"get secret cacerts"*) cat ${file}; exit ;; esac\n${commands.kubectl}`;
        return run({ ca, ...changes }, false, undefined, { ...commands, kubectl }, realTls(kept));
      });
    const step = async (ca: object, changes?: object) => {
      const made = left(await update(ca, changes));
      cacerts = found(made);
      return made;
    };
    return { kept, step, update, sees: (other?: CaCerts) => (cacerts = other) };
  };
  const names = ({ resources }: Update) => resources.map(({ name }) => name);

  it("has one at the first update, which waits for nobody, and leaves a mesh of before as it is", async () => {
    const { step, sees, update } = stack();
    const first = await step({});
    assert.deepEqual(first.annotations, ["1.1=", "1.1"]);
    assert.deepEqual([first.settled, first.occasion, first.keepsSigner], ["1.1 of 1.1", "# 1.1 of 1.1", false]);
    assert.equal(first.keys, `1.1=${keyDigest(first.caCert)}`);
    // An earlier version of this program noted nothing.
    sees({ ...found(first), notes: undefined });
    const { result, ...again } = await update({});
    assert.equal(left({ result, ...again }).readAtStart, first.readAtStart);
    const told = { known: ["1.1"], signer: "1.1", wanted: "1.1", waitsFor: [] };
    assert.deepEqual(await valueOf(pulumi.output(result.authorities)), told);
  });

  it("goes to another root step by step", async () => {
    const { step } = stack();
    const before = await step({});
    const [prepared, active, retired] = [await step({ root: 2 }), await step({ root: 2 }), await step({ root: 2 })];
    const after = await step({ root: 2 });

    const texts = (each: Left) => [...each.annotations, each.settled];
    assert.deepEqual(texts(prepared), ["1.1= 2.1=", "1.1", "1.1 of 1.1 2.1"]);
    assert.deepEqual(texts(active), ["1.1= 2.1=", "2.1", "2.1 of 1.1 2.1"]);
    assert.deepEqual(texts(retired), ["2.1=", "2.1", "2.1 of 2.1"]);
    assert.deepEqual(texts(after), texts(retired));

    assert.equal(prepared.rootCert, before.rootCert + retired.rootCert);
    assert.equal(active.rootCert, prepared.rootCert);
    assert.notEqual(retired.rootCert, before.rootCert);
    assert.equal(after.rootCert, retired.rootCert);

    assert.equal(keyDigest(prepared.caCert), keyDigest(before.caCert));
    assert.equal(prepared.key, before.key);
    assert.equal(keyDigest(active.caCert), keyDigest(retired.caCert));
    assert.equal(active.key, retired.key);
    assert.notEqual(active.key, before.key);
    assert.deepEqual(
      [prepared, active, retired].map(({ certChain }) => splitChain(certChain).length),
      [2, 3, 2],
    );

    const started = [before, prepared, active, retired].map(({ readAtStart }) => readAtStart);
    assert.equal(new Set(started).size, 4, "istiod starts anew with each");
    assert.notEqual(after.caCert, retired.caCert);
    assert.equal(
      after.readAtStart,
      retired.readAtStart,
      "but not for a certificate that is made anew for the same key",
    );
  });

  it("goes to another intermediate without another root: istiod starts anew only when that signs", async () => {
    const { step } = stack();
    const before = await step({});
    const [prepared, active] = [await step({ intermediate: 2 }), await step({ intermediate: 2 })];
    const retired = await step({ intermediate: 2 });
    assert.deepEqual(prepared.annotations, ["1.1= 1.2=", "1.1"]);
    assert.deepEqual(retired.annotations, ["1.2=", "1.2"]);
    for (const each of [prepared, active, retired]) assert.equal(each.rootCert, before.rootCert);
    assert.equal(prepared.readAtStart, before.readAtStart);
    assert.notEqual(active.readAtStart, before.readAtStart);
    assert.equal(retired.readAtStart, active.readAtStart);
  });

  it("goes no further than it may, and back", async () => {
    const { step } = stack();
    const before = await step({});
    const until = { rotation: { until: "prepare" } };
    await step({ root: 2, ...until });
    assert.deepEqual((await step({ root: 2, ...until })).annotations, ["1.1= 2.1=", "1.1"]);
    const back = await step({});
    assert.deepEqual(back.annotations, ["1.1=", "1.1"]);
    assert.equal(back.rootCert, before.rootCert);
    assert.equal(back.readAtStart, before.readAtStart);
  });

  it("has the authorities that are in use, and no others", async () => {
    const { step, update } = stack();
    const ofCa = (resources: string[]) => resources.filter((name) => /^ca-(root|intermediate[^-]*$)/.test(name)).sort();
    await step({});
    const prepared = await update({ root: 2 });
    assert.ok(["ca-root", "ca-root-2", "ca-root-2-by-1"].every((name) => names(prepared).includes(name)));
    for (let n = 0; n < 2; n++) await step({ root: 2 });
    assert.deepEqual(ofCa(names(await update({ root: 2 }))), ["ca-root-2", "ca-root-2-key"]);
  });

  it("gives hosts identities by the one that is wanted, and all roots, behind istiod, and without waiting for each other", async () => {
    const { step, update } = stack();
    const absent = { rotation: { absent: "leave" } };
    await step(absent, {});
    const made = await update({ root: 2, ...absent }, {});
    const prepared = left(made);
    assert.deepEqual(prepared.annotations, ["1.1= 2.1=", "1.1"]);
    const { caCertPem } = made.find("vm1-identity-certificate").inputs;
    assert.notEqual(keyDigest(caCertPem as string), keyDigest(prepared.caCert));
    assert.equal(await valueOf(made.result.rootFingerprint), [...certificateSet(prepared.rootCert)][0]);
    const digest = sha256(prepared.rootCert).slice(0, 16);
    assert.match(made.find("vm1-join").inputs.stdin as string, new RegExp(`/root-cert.pem roots:${digest}$`, "m"));

    const waits: [string, string[]][] = [
      ["istio", ["cacerts-secret"]],
      ["authorities", names(made).filter((name) => name.startsWith("istio-"))],
      ["authorities-settled", ["authorities-trust"]],
      ["exposure", [ISTIOD]],
      ["vm1-identity", ["exposure-istiod"]],
    ];
    for (const [name, expected] of waits) {
      const { dependencies } = made.find(name);
      for (const other of expected) assert.ok(dependencies.includes(other), `${name} does not wait for ${other}`);
    }
    // What is awaited may be hosts' own to do.
    for (const { name, dependencies } of made.resources) {
      if (!name.startsWith("authorities")) assert.ok(!dependencies.includes("authorities-settled"), name);
    }
    assert.equal(made.find("authorities-trust").provider, "cluster");
  });

  it("says whom the next step waits for, and gives everybody another occasion", async () => {
    const { step, update } = stack();
    await step({}, {});
    const prepared = await step({ root: 2 }, {});
    const waiting = await update({ root: 2 }, {});
    const { annotations, settled, occasion } = left(waiting);
    assert.deepEqual(annotations, prepared.annotations);
    assert.equal(settled, prepared.settled);
    assert.match(occasion, /^# 1\.1 of 1\.1 2\.1, \d{4}-\d\d-\d\dT/);
    const { waitsFor, wanted } = (await valueOf(pulumi.output(waiting.result.authorities))) as Record<string, string[]>;
    assert.equal(wanted, "2.1");
    assert.deepEqual(
      waitsFor!.map((line) => line.replace(/:.*/, "")),
      ["vm1.vm can't be asked", "vm2.db can't be asked"],
    );
  });

  describe("with authorities of the user's own", () => {
    const own = async () => {
      const { certificate: pem, key } = await authority();
      const ca = { provided: { rootCert: pem, caCert: pem, certChain: pem, caKey: { secret: "caKey" } } };
      return { pem, key, ca, name: `key-${keyDigest(pem)}`, changes: { hosts: [], services: [], caKey: key } };
    };

    it("takes one in the place of its own, which signs on from the secret, and is called by its key", async () => {
      const { step, kept } = stack();
      const before = await step({});
      const { pem, ca, name, changes, key } = await own();
      const prepared = await step(ca, changes);
      const former = `key-${keyDigest(before.caCert)}`;
      assert.deepEqual(prepared.annotations, [`${former}= ${name}=`, former]);
      assert.deepEqual([prepared.keepsSigner, prepared.rootCert], [true, before.rootCert + pem]);
      const active = await step(ca, changes);
      assert.deepEqual([active.keepsSigner, active.caCert, active.key], [false, pem, key]);
      assert.notEqual(active.readAtStart, prepared.readAtStart);
      assert.equal((await step(ca, changes)).rootCert, pem);
      // The state has not its keys any more: this is another one, under a name that is free.
      kept.clear();
      const again = await step({});
      assert.deepEqual(again.annotations, [`${name}= 1.1=`, name]);
      assert.equal(again.keepsSigner, true);
    });

    it("starts istiod anew in front of the step in which its own signer stays, for it believes another root then", async () => {
      const { step } = stack();
      const before = await step({});
      const { ca, changes } = await own();
      assert.notEqual((await step(ca, changes)).readAtStart, before.readAtStart);
    });

    it("refuses to make anew one that it did not make: of it nothing is noted, and the number is taken", async () => {
      const { pem, ca, changes } = await own();
      const { step, sees, update } = stack();
      const first = await step(ca, changes);
      sees({ ...found(first), notes: undefined });
      await assert.rejects(update({}), /the mesh knows another CA as 1\.1: choose a higher number for ca\.root/);
      await assert.rejects(
        update({ root: 2 }),
        /the mesh knows another CA as 1\.1: pulumi up with that one before it is replaced/,
      );
      assert.equal(first.caCert, pem);
    });
  });

  it("refuses another authority under a name that the mesh knows", async () => {
    const { step, kept, update } = stack();
    await step({});
    kept.delete("ca-intermediate-key");
    await assert.rejects(update({}), /: the mesh knows another CA as 1\.1: choose a higher number for ca\.root$/);
    const { step: next, kept: others, update: again } = stack();
    await next({});
    await next({ root: 2 });
    others.delete("ca-intermediate-key");
    await assert.rejects(again({ root: 2 }), /the mesh knows another CA as 1\.1/);
  });

  it("waits for everybody when it has taken a step, and where an update was cut off before that", async () => {
    const asks = (cacerts: CaCerts | undefined, ca: object, hook: string) =>
      withDirectory(async (directory) => {
        const [file, log, pods] = ["cacerts", "log", "pods"].map((name) => join(directory, name)) as [
          string,
          string,
          string,
        ];
        writeFileSync(file, cacerts === undefined ? "" : await caCertsText(cacerts));
        const kubectl = `echo "$*" >>${log}
          case "$*" in
            *"get secret cacerts"*) cat ${file} ;;
            *"get pods --all-namespaces"*) cat ${pods} ;;
            *) ${commands.kubectl.split("\n").slice(1).join("\n")} ;;
          esac`;
        const tools = { ...commands, kubectl };
        const sidecar = [{ name: "istio-proxy", state: { running: {} } }];
        const pod = { metadata: { name: "a", namespace: "b" }, status: { containerStatuses: sidecar } };
        writeFileSync(pods, JSON.stringify({ items: [pod] }));
        const changes = { ca, hosts: [], services: [] };
        const { callHook } = await withHooks(() => run(changes, false, undefined, tools, realTls(kept)));
        writeFileSync(pods, JSON.stringify({ items: [] }));
        writeFileSync(log, "");
        await withCommands(tools, () => callHook(`authorities-${hook}`));
        return readFileSync(log, "utf8").includes("get pods");
      });
    const { kept, step } = stack();
    assert.equal(await asks(undefined, {}, "create"), false);
    const first = await step({});
    assert.equal(await asks(found(first), {}, "create"), false, "of a stack of before");
    assert.equal(await asks(found(first), { root: 2 }, "create"), true);
    assert.equal(await asks(found(first), { root: 2 }, "update"), true);
    const prepared = await step({ root: 2 });
    assert.equal(await asks(found(prepared), { root: 2 }, "create"), true, "a pod can't be asked: it takes no step");
  });

  it("has texts that are no secrets", async () => {
    const { step, update } = stack();
    await step({});
    const { resources, find } = await update({ root: 2 });
    assert.doesNotMatch(JSON.stringify(resources), /PRIVATE KEY/);
    const { metadata } = find("cacerts-secret").inputs;
    assert.doesNotMatch(JSON.stringify([metadata, find("authorities-trust").inputs]), /<secret>/);
  });
});
