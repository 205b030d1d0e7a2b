import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { EndedIdentities, type EndedIdentitiesArgs } from "../../../components/endedIdentities";
import { endedIdentityPolicy, endedName } from "../../../mesh/endedIdentity";
import { runProgram, withCommands } from "../support";

const own = (name: string, more: Partial<EndedIdentitiesArgs["identities"][number]> = {}) => ({
  account: `vm/${name}`,
  hosts: [name],
  identity: `spiffe://cluster.local/ns/vm/sa/${name}'s`,
  rootNamespace: "istio-system",
  ended: false,
  ...more,
});

describe("EndedIdentities", () => {
  const make = (identities: EndedIdentitiesArgs["identities"], more: Partial<EndedIdentitiesArgs> = {}) =>
    runProgram(
      () =>
        new EndedIdentities("ended", {
          ...{ identities, rootNamespaces: ["istio-system"], access: { context: "lab" }, owner: "0123" },
          ...more,
        }),
    );
  /** What kubectl is given by a command: its arguments, and its input. It prints nothing where what it says is not shown. */
  const run = (command: unknown, kubectl = `{ echo "$*"; case "$*" in *filename=-*) cat ;; esac; } >&3`) =>
    withCommands({ kubectl }, () =>
      execFileSync("sh", ["-c", `exec 3>&1; ${command as string}`], { encoding: "utf8", stdio: "pipe" })
        .trim()
        .split("\n"),
    );
  const { identity } = own("vm1");
  const LIVE = `--context lab delete authorizationpolicies.security.istio.io ${endedName(identity, "0123")} --namespace=istio-system --ignore-not-found`;
  const OF_OWNER = "--selector=pulumi-istio-vm/owner=0123 --ignore-not-found";
  const DELETE = "--context lab delete authorizationpolicies.security.istio.io";

  it("gives a host that is there its identity, and ends it when the last of its hosts goes", async () => {
    const { find } = await make([own("vm1", { hosts: ["vm1", "vm2"] })]);
    const { create, delete: end } = find("ended-vm/vm1").inputs;
    assert.deepEqual(await run(create), [LIVE]);
    const [words, policy] = await run(end);
    assert.equal(words, "--context lab apply --filename=-");
    const ended = { host: "vm1, vm2", identity };
    const expected = endedIdentityPolicy(ended, { owner: "0123", rootNamespace: "istio-system" });
    assert.deepEqual(JSON.parse(policy!), expected);
  });

  it("ends that of machines that are gone at once, and keeps it so when they are taken off", async () => {
    const { find } = await make([own("vm1", { ended: true })]);
    const { create, delete: end } = find("ended-vm/vm1").inputs;
    assert.equal(create, end);
    assert.match((await run(create))[1]!, /"action":"DENY"/);
  });

  it("takes back what it has made when the stack goes, behind all hosts, and also if there are none any more", async () => {
    const { find } = await make([own("vm1"), own("vm2")], { rootNamespaces: ["mesh", "istio-system", "mesh"] });
    const all = find("ended-policies");
    assert.equal(all.inputs.create, undefined);
    assert.deepEqual(await run(all.inputs.delete), [
      `${DELETE} --namespace=istio-system ${OF_OWNER}`,
      `${DELETE} --namespace=mesh ${OF_OWNER}`,
    ]);
    for (const name of ["vm1", "vm2"]) assert.deepEqual(find(`ended-vm/${name}`).dependencies, ["ended-policies"]);
    const none = (await make([])).find("ended-policies");
    assert.deepEqual(await run(none.inputs.delete), [`${DELETE} --namespace=istio-system ${OF_OWNER}`]);
  });

  it("refuses nobody where nothing is denied, not even for a moment, nor whoever was refused before", async () => {
    const { find } = await make([own("vm1"), own("vm2", { ended: true })], { deny: false });
    for (const name of ["vm1", "vm2"]) {
      const { create, delete: end } = find(`ended-vm/${name}`).inputs;
      assert.deepEqual([create, end], [undefined, undefined]);
    }
    assert.deepEqual(await run(find("ended-policies").inputs.create), [
      `${DELETE} --namespace=istio-system ${OF_OWNER}`,
    ]);
  });

  it("keeps no stack from going where the mesh is gone, or policies are none of one's business", async () => {
    const { find } = await make([own("vm1")]);
    const [all, end] = [find("ended-policies").inputs.delete, find("ended-vm/vm1").inputs.delete];
    const says = (words: string) => `cat >&2 <<'END'\nerror: ${words}\nEND\nexit 1`;
    const forbidden = says('authorizationpolicies.security.istio.io is forbidden: User "me" cannot list');
    for (const command of [all, end]) {
      assert.deepEqual(await run(command, says(`the server doesn't have a resource type "a"`)), [""]);
      assert.deepEqual(await run(command, says('no matches for kind "AuthorizationPolicy"')), [""]);
      assert.deepEqual(await run(command, says('namespaces "istio-system" not found')), [""]);
      await assert.rejects(async () => run(command, says("connection refused")), /error: connection refused/);
    }
    assert.deepEqual(await run(all, forbidden), [""]);
    await assert.rejects(async () => run(end, forbidden), /is forbidden/);
  });

  it("tells what must be there before a host is, so that it goes behind it", async () => {
    const { result } = await make([own("vm1")]);
    assert.deepEqual([result.of("vm/vm1").length, result.of("vm/foreign").length], [1, 0]);
  });
});
