import assert from "node:assert/strict";
import type { Kubectl } from "../../../tools/kubectl";
import { awaitWithdrawal, withdrawalCommand } from "../../../tools/withdrawal";

const withdrawal = {
  host: "vm1",
  address: "10.0.0.1",
  identity: "spiffe://cluster.local/ns/vm/sa/vm1",
  istiods: ["istio-system"],
};
const LIMITS = { istiod: 300, proxies: 500, pause: 1 };

const pod = (name: string, phase = "Running") => ({ metadata: { name, namespace: "istio-system" }, status: { phase } });
const THERE = {
  "web.vm.svc": { vm: { Shards: { K: [{ Addresses: ["10.0.0.1"], ServiceAccount: withdrawal.identity }] } } },
};

/** A cluster whose istiods answer so, each question with the next of its answers, and with the last from then on. */
function cluster(answers: Record<string, Record<string, unknown[]>>, pods = Object.keys(answers).map((n) => pod(n))) {
  const asked: string[] = [];
  const kubectl: Kubectl = (args) => {
    if (args[0] === "get") return Promise.resolve(JSON.stringify({ items: pods }));
    if (args[0] === "patch") {
      asked.push(args.join(" "));
      return Promise.resolve("patched");
    }
    const name = args[2]!;
    const path = args.at(-1)!.replace("/debug/", "");
    asked.push(`${name} ${path}`);
    if (path === "adsz?push=true") return Promise.resolve("Pushed to 5 servers"); // no JSON
    const list = answers[name]![path] ?? [{}];
    return Promise.resolve(JSON.stringify(list.length > 1 ? list.shift() : list[0]));
  };
  const said: string[] = [];
  return {
    asked,
    said,
    run: (limits = LIMITS, more: object = {}) =>
      awaitWithdrawal({ ...withdrawal, ...more }, kubectl, (line) => said.push(line), limits),
  };
}

const proxy = (name: string, sent: string, acked = sent) => ({
  proxy: name,
  endpoint_sent: sent,
  endpoint_acked: acked,
});

describe("awaitWithdrawal", () => {
  it("waits for every istiod to forget the endpoint, then for every proxy to confirm what it is sent after that", async () => {
    const { asked, said, run } = cluster({
      a: {
        endpointShardz: [THERE, {}],
        syncz: [
          [proxy("p", "1"), proxy("q", "1")],
          [proxy("p", "2"), proxy("q", "2", "1")],
          [proxy("p", "2"), proxy("q", "2")],
        ],
      },
      b: { endpointShardz: [{}], syncz: [[proxy("r", "5")], [proxy("r", "6")]] },
    });
    await run();
    assert.deepEqual(said, ["vm1: withdraw ok: 3 proxies have confirmed that it is no endpoint any more"]);
    const first = (what: string) => asked.indexOf(what);
    for (const istiod of ["a", "b"]) {
      assert.ok(asked.lastIndexOf("a endpointShardz") < first(`${istiod} syncz`));
      assert.ok(first(`${istiod} syncz`) < first(`${istiod} adsz?push=true`));
      assert.ok(first(`${istiod} adsz?push=true`) < asked.lastIndexOf(`${istiod} syncz`));
      assert.equal(asked.filter((each) => each === `${istiod} adsz?push=true`).length, 1);
    }
  });

  it("names the proxies that have not confirmed it, and the services that still lead there", async () => {
    const stuck = cluster({
      a: {
        syncz: [
          [proxy("p", "1"), proxy("q", "1")],
          [proxy("p", "2"), proxy("q", "1")],
        ],
      },
    });
    await stuck.run();
    assert.deepEqual(stuck.said, ["vm1: withdraw ! not confirmed by 1 of 2 proxies: q"]);
    const kept = cluster({ a: { endpointShardz: [THERE], syncz: [[]] } });
    await kept.run();
    assert.deepEqual(kept.said, [
      "vm1: withdraw ! web.vm.svc goes on to lead there, by an entry that is not this stack's",
    ]);
  });

  it("does not wait for the host's own proxy, nor long for an entry that is somebody else's", async () => {
    const off = cluster({
      a: {
        syncz: [
          [proxy("p", "1"), proxy("vm1.vm", "1")],
          [proxy("p", "2"), proxy("vm1.vm", "2", "1")],
        ],
      },
    });
    await off.run();
    assert.deepEqual(off.said, ["vm1: withdraw ok: 1 proxies have confirmed that it is no endpoint any more"]);
    const kept = cluster({ a: { endpointShardz: [THERE], syncz: [[]] } });
    await kept.run({ istiod: 0, proxies: 60_000, pause: 1 });
    assert.match(kept.said[0]!, /goes on to lead there/);
  });

  it("takes a host that is probed out of its services first, whose sidecar goes on to say that it can serve", async () => {
    const { asked, said, run } = cluster({ a: { syncz: [[proxy("p", "1")], [proxy("p", "2")]] } });
    await run(LIMITS, { entry: "vm/vm1.probed" });
    const status = { conditions: [{ type: "Healthy", status: "False", message: "it leaves the mesh" }] };
    assert.equal(
      asked[0],
      `patch workloadentries.networking.istio.io vm1.probed --namespace=vm --subresource=status --type=merge --patch=${JSON.stringify({ status })}`,
    );
    assert.match(said[0]!, /^vm1: withdraw ok/);
    const stays = cluster({ a: { syncz: [[proxy("p", "1")], [proxy("p", "2")]] } });
    await stays.run(LIMITS, { entry: "vm/vm1.probed", plain: [] });
    assert.ok(!stays.asked.some((each) => each.startsWith("patch")));
  });

  it("says why istiod could not be asked, and keeps nobody from leaving", async () => {
    const said: string[] = [];
    await awaitWithdrawal(
      withdrawal,
      () => Promise.reject(new Error("pods is forbidden")),
      (line) => said.push(line),
    );
    assert.deepEqual(said, ["vm1: withdraw ! istiod could not be asked who is sent there: pods is forbidden"]);
    const none = cluster({}, [pod("a", "Pending")]);
    await none.run();
    assert.deepEqual(none.said, [
      "vm1: withdraw ! no istiod runs in istio-system that could be asked who is sent there",
    ]);
  });

  it("is a command of the command line, for that cluster", () => {
    assert.equal(
      withdrawalCommand(withdrawal, { kubeconfig: "/k", context: "it's" }),
      `node cli/istio-vm.cjs 'withdrawn' 'vm1' '10.0.0.1' '${withdrawal.identity}' 'istio-system' '--kubeconfig' '/k' '--context' 'it'\\''s'`,
    );
  });
});
