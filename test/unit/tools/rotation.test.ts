import assert from "node:assert/strict";
import type { Authority } from "../../../config";
import { keyDigest, type ProxyTrust } from "../../../mesh/rotation";
import { authorityName, awaitRotation, awaitSettled, planRotation, settlementOf } from "../../../tools/rotation";
import { type Issued, issue, ofHost } from "../diagnosis/checks/pki";
import { type FakeMesh, type FakePod, rotatingMesh } from "./rotatingMesh";

const OLD = "1.1";
const NEW = "2.1";
type Wishes = Partial<Authority["rotation"]>;
/** A configuration that wants this root. */
const made = (root: number, wishes: Wishes = {}) =>
  ({ root, intermediate: 1, rotation: { until: "retire", absent: "wait", ...wishes } }) as Authority;

describe("planRotation", () => {
  let roots: Record<"old" | "new", Issued>, cas: Record<"old" | "new", Issued>;
  let chains: Record<"old" | "new", string>;
  before(async () => {
    roots = { old: await issue({ subject: "CN=old", ca: true }), new: await issue({ subject: "CN=new", ca: true }) };
    const below = (root: Issued) => issue({ subject: `${root.subject} ca`, issuer: root, ca: true });
    cas = { old: await below(roots.old), new: await below(roots.new) };
    const chain = async (ca: Issued) => (await ofHost(ca)).pem + ca.pem;
    chains = { old: await chain(cas.old), new: await chain(cas.new) };
  });
  const both = () => roots.old.pem + roots.new.pem;

  /** The secret of a mesh with these authorities. */
  const secret = (known: string[], signer: string, owner: string | undefined = "me"): FakeMesh["cacerts"] => ({
    rootCert: known.length > 1 ? both() : roots[known[0] === OLD ? "old" : "new"].pem,
    caCert: cas[signer === OLD ? "old" : "new"].pem,
    owner,
    notes: { known, signer, keys: {} },
  });
  const prepared = () => secret([OLD, NEW], OLD);
  const active = () => secret([OLD, NEW], NEW);
  /** Proxies that have all that one needs who believes these roots and is certified by that authority. */
  const pod = (name: string, by: "old" | "new", changes: Partial<FakePod> = {}): FakePod => ({
    ...{ name, roots: both(), certChain: chains[by] },
    ...changes,
  });

  interface Case {
    mesh: FakeMesh;
    hosts?: ProxyTrust[];
    ca?: Authority;
    asked?: string[];
  }
  const plan = ({ mesh, hosts = [], ca = made(2), asked = [] }: Case) => {
    const askHosts = () => {
      asked.push("hosts");
      return Promise.resolve(hosts);
    };
    return planRotation(ca, { kubectl: rotatingMesh(mesh, asked), askHosts, istiods: ["istio-system"] }, 1);
  };

  it("has at the first update the authority that is wanted, and asks nobody", async () => {
    const rest = { found: undefined, missing: [], waitsForAbsent: true };
    const only = { wanted: NEW, authorities: { known: [NEW], signer: NEW }, ...rest };
    for (const cacerts of [undefined, { ...secret([OLD], OLD)!, owner: undefined }]) {
      const asked: string[] = [];
      assert.deepEqual(await plan({ mesh: { cacerts }, asked }), only);
      assert.equal(asked.length, 1);
    }
  });

  it("takes no step where there is none to take, and asks nobody", async () => {
    const cases: [FakeMesh["cacerts"], Authority][] = [
      [secret([OLD], OLD), made(1)],
      [prepared(), made(2, { until: "prepare" })],
      [active(), made(2, { until: "activate" })],
    ];
    for (const [cacerts, ca] of cases) {
      const asked: string[] = [];
      const { step, missing, authorities, found } = await plan({ mesh: { cacerts }, ca, asked });
      assert.deepEqual([step, missing, asked.length], [undefined, [], 1]);
      const { known, signer } = cacerts!.notes!;
      assert.deepEqual(authorities, { known, signer });
      assert.equal(found?.rootCert, cacerts!.rootCert);
    }
  });

  it("prepares without asking anybody", async () => {
    const asked: string[] = [];
    const { step, authorities, missing } = await plan({ mesh: { cacerts: secret([OLD], OLD) }, asked });
    assert.deepEqual([step, authorities, missing], ["prepare", { known: [OLD, NEW], signer: OLD }, []]);
    assert.equal(asked.length, 1);
  });

  it("names an authority of the user's own by its key", async () => {
    const ca = {
      provided: { rootCert: "", caCert: cas.new.pem, certChain: "", caKey: { secret: "caKey" } },
      rotation: made(1).rotation,
    };
    const name = `key-${keyDigest(cas.new.pem)}`;
    assert.equal(authorityName(ca), name);
    const cacerts = { ...secret([OLD], OLD)!, notes: undefined };
    const { wanted, authorities } = await plan({ mesh: { cacerts }, ca });
    const before = `key-${keyDigest(cas.old.pem)}`;
    assert.deepEqual([wanted, authorities], [name, { known: [before, name], signer: before }]);
  });

  const steps: [string, () => FakeMesh["cacerts"], "old" | "new", object][] = [
    ["activate", prepared, "old", { known: [OLD, NEW], signer: NEW }],
    ["retire", active, "new", { known: [NEW], signer: NEW }],
  ];
  for (const [step, cacerts, by, authorities] of steps) {
    describe(step, () => {
      const host = (changes: Partial<ProxyTrust> = {}): ProxyTrust => ({
        ...{ proxy: "vm1.vm", roots: both(), certChain: chains[by] },
        ...changes,
      });
      const off: ProxyTrust = { proxy: "vm1.vm", problem: "can't be asked: it is off" };

      it("is taken when everybody has what it needs", async () => {
        const mesh = { cacerts: cacerts(), pods: [pod("a", by), pod("b", by)], istiods: { istiod: ["vm1.vm"] } };
        const plans = await plan({ mesh, hosts: [host()] });
        assert.deepEqual([plans.step, plans.authorities, plans.missing], [step, authorities, []]);
      });

      it("is not taken before, and it is said who lacks what", async () => {
        const mesh = {
          cacerts: cacerts(),
          pods: [pod("a", by, { roots: roots.old.pem }), pod("b", by), pod("c", by, { fails: "forbidden" })],
          istiods: { istiod: ["else.vm"] },
        };
        const { step: taken, authorities: kept, missing } = await plan({ mesh, hosts: [off] });
        const { known, signer } = mesh.cacerts!.notes!;
        assert.deepEqual([taken, kept], [undefined, { known, signer }]);
        assert.deepEqual(missing, [
          "a.default does not trust the new root yet",
          "c.default can't be asked: kubectl: forbidden",
          "else.vm is neither a pod here nor a host of this stack, and can't be asked",
          "vm1.vm can't be asked: it is off",
        ]);
      });

      it("asks again where something is missing, twice at most: a pod may end between the list and the question", async () => {
        const pods = [pod("a", by), pod("ending", by, { fails: "not found" })];
        let asks = 0;
        const askHosts = () => {
          if (++asks === 6) pods.pop();
          return Promise.resolve([]);
        };
        const asking = { kubectl: rotatingMesh({ cacerts: cacerts(), pods }), askHosts, istiods: [] };
        const { missing } = await planRotation(made(2), asking, 1);
        assert.deepEqual([missing, asks], [["ending.default can't be asked: kubectl: not found"], 3]);
        assert.equal((await planRotation(made(2), asking, 1)).step, step);
        assert.equal(asks, 6);
      });

      it("leaves those behind that can't be asked, if it is said so, but none that lacks something", async () => {
        const ca = made(2, { absent: "leave" });
        const pods = [pod("b", by), pod("c", by, { fails: "forbidden" })];
        const mesh = { cacerts: cacerts(), pods, istiods: { istiod: ["else.vm"] } };
        assert.equal((await plan({ mesh, hosts: [off], ca })).step, step);
        const behind = [pod("a", by === "old" ? "new" : "old"), ...pods];
        const { step: taken, missing } = await plan({ mesh: { ...mesh, pods: behind }, hosts: [off], ca });
        assert.deepEqual([taken, missing], [undefined, ["a.default has a certificate of the other authority"]]);
      });

      it("fails where the cluster can't be asked, rather than go on", async () => {
        const { kubectl, ...rest } = {
          kubectl: rotatingMesh({ cacerts: cacerts() }),
          askHosts: () => Promise.resolve([host()]),
          istiods: ["istio-system"],
        };
        for (const refused of ["get secret", "get pods --all-namespaces", "get pods --namespace", "exec"]) {
          const failing = (args: string[]) =>
            args.join(" ").startsWith(refused) ? Promise.reject(new Error(refused)) : kubectl(args);
          const planning = planRotation(made(2, { absent: "leave" }), { kubectl: failing, ...rest });
          await assert.rejects(planning, new Error(refused));
        }
        const askHosts = () => Promise.reject(new Error("no key"));
        await assert.rejects(planRotation(made(2), { ...rest, kubectl, askHosts }), /^Error: no key$/);
      });
    });
  }

  it("minds at retire by whom hosts were sent their identities, and at activate does not", async () => {
    const host = { proxy: "vm1.vm", roots: both(), sentChain: chains.old };
    const retire = await plan({ mesh: { cacerts: active() }, hosts: [{ ...host, certChain: chains.new }] });
    assert.deepEqual(retire.missing, ["vm1.vm has been sent an identity of the other authority"]);
    const activate = await plan({ mesh: { cacerts: prepared() }, hosts: [{ ...host, certChain: chains.old }] });
    assert.equal(activate.step, "activate");
  });

  it("turns back: after prepare nothing but the retreat is left, once hosts have identities by the one that stays", async () => {
    const ca = made(1);
    const host = { proxy: "vm1.vm", roots: both(), certChain: chains.old };
    const waits = await plan({ mesh: { cacerts: prepared() }, hosts: [{ ...host, sentChain: chains.new }], ca });
    assert.deepEqual(waits.missing, ["vm1.vm has been sent an identity of the other authority"]);
    const goes = await plan({ mesh: { cacerts: prepared() }, hosts: [{ ...host, sentChain: chains.old }], ca });
    assert.deepEqual([goes.step, goes.authorities], ["retire", { known: [OLD], signer: OLD }]);
    const back = await plan({ mesh: { cacerts: active(), pods: [pod("a", "new")] }, ca });
    assert.deepEqual([back.step, back.authorities], ["activate", { known: [OLD, NEW], signer: OLD }]);
  });
});

describe("settlementOf", () => {
  const pems = { rootCert: "roots", caCert: "ca", lists: "lists" };
  it("wants no other root once one authority is known alone, and what hosts were sent once it signs", () => {
    const of = (known: string[], signer: string) => settlementOf({ known, signer }, NEW, pems);
    const texts = { roots: "roots", signer: "ca", lists: "lists" };
    assert.deepEqual(of([OLD, NEW], OLD), { ...texts, exact: false, sends: false });
    assert.deepEqual(of([OLD, NEW], NEW), { ...texts, exact: false, sends: true });
    assert.deepEqual(of([NEW], NEW), { ...texts, exact: true, sends: true });
  });
});

describe("awaitRotation", () => {
  it("waits for what the update means, of those that can't be asked only if it is said so", async () => {
    const root = await issue({ subject: "CN=root", ca: true });
    const ca = await issue({ subject: "CN=ca", issuer: root, ca: true });
    const certChain = (await ofHost(ca)).pem + ca.pem;
    const pods = [
      { name: "a", roots: root.pem, certChain },
      { name: "b", fails: "forbidden" },
    ];
    const host = { proxy: "vm1.vm", roots: root.pem, certChain };
    const rotation = { wanted: NEW, authorities: { known: [NEW], signer: NEW }, missing: [], waitsForAbsent: false };
    const waits = (changes: object, hosts = [host]) => {
      const told: string[][] = [];
      const tell = (missing: string[]) => {
        told.push(missing);
        throw new Error("it is told");
      };
      const pems = { rootCert: root.pem, caCert: ca.pem };
      const asking = { kubectl: rotatingMesh({ pods }), askHosts: () => Promise.resolve(hosts), istiods: [] };
      return awaitRotation({ ...rotation, ...changes }, pems, asking, tell).catch((error: Error) => {
        assert.match(error.message, /^the mesh has not all that .* needs yet: pulumi up goes on\n {2}it is told$/);
        return told[0];
      });
    };
    assert.equal(await waits({}), undefined);
    assert.deepEqual(await waits({ waitsForAbsent: true }), ["b.default can't be asked: kubectl: forbidden"]);
    const trusting = { ...host, roots: root.pem + ca.pem };
    assert.deepEqual(await waits({}, [trusting]), ["vm1.vm still trusts the earlier root"]);
    assert.equal(await waits({ authorities: { known: [OLD, NEW], signer: NEW } }, [trusting]), undefined);
  });
});

describe("awaitSettled", () => {
  const LIMITS = { pause: 1, progress: 100 };
  let clock = 0;
  beforeEach(() => (clock = 0));

  /** Asks who answers so, one answer after the other, and from then on the last; each takes so long. */
  const waiting = (answers: (string[] | Error)[], took = 60) => {
    const told: string[][] = [];
    let asked = 0;
    const ask = () => {
      clock += took;
      const answer = answers[Math.min(asked++, answers.length - 1)]!;
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    };
    const done = awaitSettled(
      ask,
      (missing) => told.push(missing),
      LIMITS,
      () => clock,
    );
    return { told, done, asked: () => asked };
  };

  it("ends at once where nobody lacks anything, and says nothing", async () => {
    const { told, done } = waiting([[]]);
    await done;
    assert.deepEqual(told, []);
  });

  it("tells who is waited for when that changes, and only then", async () => {
    const { told, done } = waiting([["a", "b"], ["a", "b"], ["b"], ["b"], []], 10);
    await done;
    assert.deepEqual(told, [["a", "b"], ["b"]]);
  });

  it("waits as long as it gets less, however long that takes", async () => {
    const names = ["a", "b", "c", "d", "e", "f"];
    const { done, asked } = waiting(names.map((_, n) => names.slice(n)).concat([[]]));
    await done;
    assert.equal(asked(), 7);
    assert.ok(clock > 3 * LIMITS.progress);
  });

  it("gives up when nobody has got it for long, naming who lacks what", async () => {
    await assert.rejects(
      waiting([
        ["a", "b", "c"],
        ["a lacks x", "b lacks y"],
      ]).done,
      /^Error: a lacks x\n {2}b lacks y$/,
    );
    await assert.rejects(waiting([["a"], ["b"], ["a", "b"], ["a"]]).done, /^Error: a/, "others are no progress");
  });

  it("goes on where the cluster does not answer for a moment, and says so where it is for long", async () => {
    const lost = new Error("kubectl: connection refused");
    const { told, done } = waiting([["a", "b"], lost, ["a"], []]);
    await done;
    assert.deepEqual(told, [["a", "b"], ["kubectl: connection refused"], ["a"]]);
    await assert.rejects(waiting([lost]).done, /^Error: kubectl: connection refused$/);
    // One answer that is missing is not one proxy that lacks something.
    await waiting([["a", "b", "c"], lost, ["a", "b"], ["a"], []]).done;
  });
});
