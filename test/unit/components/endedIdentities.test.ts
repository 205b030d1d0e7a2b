import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { EndedIdentities, type EndedIdentitiesArgs } from "../../../components/endedIdentities";
import { endedIdentityPolicy, endedName } from "../../../mesh/endedIdentity";
import { runProgram, withCommands } from "../support";

const host = (name: string, ended = false) => ({
  name,
  identity: `spiffe://cluster.local/ns/vm/sa/${name}'s`,
  rootNamespace: "istio-system",
  ended,
});

describe("EndedIdentities", () => {
  const make = (hosts: EndedIdentitiesArgs["hosts"]) =>
    runProgram(() => new EndedIdentities("ended", { hosts, access: { context: "lab" }, owner: "0123" }));
  /** What kubectl is given by a command: its arguments, and its input. */
  const run = (command: unknown) =>
    withCommands({ kubectl: `echo "$*"; case "$*" in *filename=-*) cat ;; esac` }, () =>
      execFileSync("sh", ["-c", command as string], { encoding: "utf8" })
        .trim()
        .split("\n"),
    );
  const { identity } = host("vm1");
  const LIVE = `--context lab delete authorizationpolicies.security.istio.io ${endedName(identity, "0123")} --namespace=istio-system --ignore-not-found`;

  it("gives a host that is there its identity, and ends it when the host goes", async () => {
    const { find } = await make([host("vm1")]);
    const { create, delete: end } = find("ended-vm1").inputs;
    assert.deepEqual(await run(create), [LIVE]);
    const [words, policy] = await run(end);
    assert.equal(words, "--context lab apply --filename=-");
    const expected = endedIdentityPolicy({ host: "vm1", identity }, { owner: "0123", rootNamespace: "istio-system" });
    assert.deepEqual(JSON.parse(policy!), expected);
  });

  it("ends that of a machine that is gone at once, and keeps it so when the host is taken off", async () => {
    const { find } = await make([host("vm1", true)]);
    const { create, delete: end } = find("ended-vm1").inputs;
    assert.equal(create, end);
    assert.match((await run(create))[1]!, /"action":"DENY"/);
  });

  it("takes back what it has made when the stack goes, behind all hosts", async () => {
    const other = { ...host("vm3"), rootNamespace: "mesh" };
    const { find } = await make([host("vm1"), host("vm2"), other]);
    const all = find("ended-policies");
    assert.equal(all.inputs.create, undefined);
    const OF_OWNER = "--selector=pulumi-istio-vm/owner=0123 --ignore-not-found";
    const DELETE = "--context lab delete authorizationpolicies.security.istio.io";
    assert.deepEqual(await run(all.inputs.delete), [
      `${DELETE} --namespace=istio-system ${OF_OWNER}`,
      `${DELETE} --namespace=mesh ${OF_OWNER}`,
    ]);
    for (const name of ["vm1", "vm2", "vm3"]) assert.deepEqual(find(`ended-${name}`).dependencies, ["ended-policies"]);
  });

  it("tells what must be there before a host is, so that it goes behind it", async () => {
    const { result } = await make([host("vm1")]);
    assert.deepEqual([result.of("vm1").length, result.of("shared").length], [1, 0]);
  });
});
