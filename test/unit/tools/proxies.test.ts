import assert from "node:assert/strict";
import { proxiesTakingRoots, trustIn, trustOfProxies } from "../../../tools/proxies";
import { type FakeMesh, rotatingMesh, secretsOf } from "./rotatingMesh";

const ISTIODS = ["istio-system"];
const has = { roots: "roots\n", certChain: "chain\n", lists: undefined };

describe("trustOfProxies", () => {
  const told = (mesh: FakeMesh, hosts = [] as Parameters<typeof trustOfProxies>[1]) =>
    trustOfProxies(rotatingMesh(mesh), hosts, ISTIODS);

  it("asks the proxy of each pod, be it a container or an init container that stays", async () => {
    const pods = [
      { name: "web", namespace: "shop", ...has },
      { name: "native", proxy: "initContainer" as const, roots: "other\n", certChain: "chain\n", lists: undefined },
    ];
    assert.deepEqual(await told({ pods }), [
      { proxy: "native.default", roots: "other\n", certChain: "chain\n", lists: undefined },
      { proxy: "web.shop", ...has },
    ]);
  });

  it("reads the revocation lists of one that checks by such", async () => {
    const pods = [
      { name: "lists", ...has, lists: "lists\n" },
      { name: "empty", ...has, lists: "" },
      { name: "none", ...has },
    ];
    assert.deepEqual(await told({ pods }), [
      { proxy: "empty.default", ...has, lists: "" },
      { proxy: "lists.default", ...has, lists: "lists\n" },
      { proxy: "none.default", ...has },
    ]);
  });

  it("leaves out pods without one that runs, and those that end", async () => {
    const pods = [
      { name: "plain", proxy: "none" as const },
      { name: "job", proxy: "ended" as const },
      { name: "ending", terminating: true, ...has },
      { name: "web", ...has },
    ];
    assert.deepEqual(
      (await told({ pods })).map(({ proxy }) => proxy),
      ["web.default"],
    );
  });

  it("says why one can't be asked, and asks the others", async () => {
    const pods = [
      { name: "a", fails: "exec is forbidden" },
      { name: "b", ...has },
    ];
    assert.deepEqual(await told({ pods }), [
      { proxy: "a.default", problem: "can't be asked: kubectl: exec is forbidden" },
      { proxy: "b.default", ...has },
    ]);
  });

  it("asks all of many, each once", async () => {
    const names = Array.from({ length: 20 }, (_, n) => `pod-${String(n).padStart(2, "0")}`);
    const asked: string[] = [];
    const all = await trustOfProxies(
      rotatingMesh({ pods: names.map((name) => ({ name, ...has })) }, asked),
      [],
      ISTIODS,
    );
    assert.deepEqual(
      all.map(({ proxy }) => proxy),
      names.map((name) => `${name}.default`),
    );
    assert.equal(asked.filter((line) => line.includes("istio-proxy")).length, 20);
  });

  it("has hosts as they told, and whoever istiods know beside them can't be asked", async () => {
    const host = { proxy: "vm1.vm", ...has, sentChain: "sent\n" };
    const mesh: FakeMesh = {
      pods: [{ name: "web", ...has }],
      istiods: { one: ["web.default", "vm1.vm"], two: ["stranger.vm", "web.default"], three: ["stranger.vm"] },
    };
    assert.deepEqual(await told(mesh, [host]), [
      { proxy: "stranger.vm", problem: "is neither a pod here nor a host of this stack, and can't be asked" },
      host,
      { proxy: "web.default", ...has },
    ]);
  });

  it("fails where the pods can't be listed, or an istiod does not answer", async () => {
    for (const refused of ["get pods --all-namespaces", "exec"]) {
      const kubectl = rotatingMesh({});
      const failing = (args: string[]) =>
        args.join(" ").startsWith(refused) ? Promise.reject(new Error("refused")) : kubectl(args);
      await assert.rejects(trustOfProxies(failing, [], ISTIODS), /^Error: refused$/);
    }
  });
});

describe("what Envoy has", () => {
  it("is nothing where it says nothing", () => {
    const nothing = { roots: "", certChain: "", lists: undefined };
    assert.deepEqual(trustIn([]), nothing);
    assert.deepEqual(trustIn([{ name: "default" }, { name: "ROOTCA", secret: {} }]), nothing);
  });
  it("is found under the names that the agent gives it, whatever else is there", () => {
    const { configs } = secretsOf("roots", "chain");
    const other = { ...configs[1]!, name: "file-root:/x" };
    assert.deepEqual(trustIn([other, ...configs]), { roots: "roots", certChain: "chain", lists: undefined });
  });
});

describe("proxiesTakingRoots", () => {
  it("tells those whose agents asked istiod for it", async () => {
    const known = [
      { proxy: "new.a", resources: { "type.googleapis.com/istio.mesh.v1alpha1.ProxyConfig": {} } },
      { proxy: "early.a", resources: { "type.googleapis.com/envoy.config.cluster.v3.Cluster": {} } },
      { proxy: "silent.a" },
    ];
    const mesh = rotatingMesh({});
    const kubectl = (args: string[]) => (args[0] === "exec" ? Promise.resolve(JSON.stringify(known)) : mesh(args));
    assert.deepEqual(await proxiesTakingRoots(kubectl, ISTIODS), [
      { name: "new.a", takesRoots: true },
      { name: "early.a", takesRoots: false },
      { name: "silent.a", takesRoots: false },
    ]);
  });
});
