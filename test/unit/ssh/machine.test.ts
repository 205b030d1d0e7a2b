import assert from "node:assert/strict";
import { execa } from "execa";
import { hostScript } from "../../../ssh/commands";
import {
  lookAtMachine,
  type Machine,
  machineIn,
  type Move,
  moveProblem,
  Neighbours,
  targetOf,
} from "../../../ssh/machine";
import { startSshServer } from "../../support/sshServer";

const A = { host: "10.0.0.1" };
const B = { host: "10.0.0.2" };
const MOVE: Move = { name: "vm1", owner: "me", from: A, to: B };
const none = new Neighbours(new Map([["vm1", "10.0.0.2:22"]]));

/** Looks at machines by address; undefined for one that does not answer. */
const looker = (machines: Record<string, Machine | undefined>) => {
  const asked: string[] = [];
  const look = ({ host }: { host: string }) => {
    asked.push(host);
    const machine = machines[host];
    return machine ? Promise.resolve(machine) : Promise.reject(new Error(`${host} refuses connections`));
  };
  return { asked, look };
};
const problem = (machines: Record<string, Machine | undefined>, move: Partial<Move> = {}, neighbours = none) =>
  moveProblem({ ...MOVE, ...move }, neighbours, looker(machines).look);

const joined = { id: "a", owner: "me", name: "vm1" };
const fresh = { id: "b" };

describe("a host that is to be found elsewhere", () => {
  it("is another machine, and the one before would stay joined: refused, with what to do", async () => {
    const refused = await problem({ "10.0.0.1": joined, "10.0.0.2": fresh });
    assert.match(refused!, /^vm1: 10\.0\.0\.2:22 is another machine than the one that joined at 10\.0\.0\.1:22, /);
    assert.match(refused!, /Nothing was changed\..* a name of its own.*gone: true/);
    const unseen = await problem({ "10.0.0.2": fresh });
    assert.match(
      unseen!,
      /at 10\.0\.0\.1:22 \(which can't be looked at: 10\.0\.0\.1 refuses connections\), which would/,
    );
  });

  it("is not looked for where nothing has changed but how one logs in", async () => {
    const { asked, look } = looker({});
    const to = { ...A, port: 22, user: "admin", privateKey: "k", hostKey: "h" };
    assert.equal(await moveProblem({ ...MOVE, to }, none, look), undefined);
    assert.deepEqual(asked, []);
  });

  it("may be the same machine at another address, by another port or through a bastion", async () => {
    for (const to of [B, { ...A, port: 2222 }, { ...A, proxy: B }]) {
      const { asked, look } = looker({ [to.host]: joined });
      assert.equal(await moveProblem({ ...MOVE, to }, none, look), undefined);
      assert.deepEqual(asked, [to.host], "the old way need not work any more");
    }
    // Its join failed, so only its id tells.
    assert.equal(await problem({ "10.0.0.2": { id: "a" } }, { machine: "a" }), undefined);
    assert.match(
      (await problem({ "10.0.0.1": joined, "10.0.0.2": { id: "b" } }, { machine: "a" }))!,
      /another machine/,
    );
  });

  it("may swap its machine with another host, or leave it to one", async () => {
    const swapped = new Neighbours(
      new Map([
        ["vm1", "10.0.0.2:22"],
        ["vm2", "10.0.0.1:22"],
      ]),
    );
    const machines = { "10.0.0.1": joined, "10.0.0.2": { ...fresh, owner: "me", name: "vm2" } };
    assert.equal(await problem(machines, {}, swapped), undefined);
    assert.match((await problem(machines))!, /another machine/, "nobody takes it over");
  });

  it("may be another machine if nothing of it is where it was", async () => {
    for (const was of [{ id: "a" }, { ...joined, owner: "another stack" }, { ...joined, name: "web1" }]) {
      assert.equal(await problem({ "10.0.0.1": was, "10.0.0.2": fresh }), undefined);
    }
  });

  it("is refused where the new place does not answer, or joined a mesh of another stack under that name", async () => {
    await assert.rejects(problem({ "10.0.0.1": joined }), /10\.0\.0\.2 refuses connections/);
    const foreign = { id: "b", owner: "another stack", name: "vm1" };
    assert.match((await problem({ "10.0.0.1": joined, "10.0.0.2": foreign }))!, /another machine/);
  });
});

describe("hosts of one program", () => {
  it("are told from each other by their machines, as far as they are known", () => {
    const hosts = new Neighbours(new Map());
    hosts.note("vm1", "a");
    assert.equal(hosts.twinOf("vm2"), undefined);
    hosts.note("vm2", "b");
    assert.equal(hosts.twinOf("vm2"), undefined);
    hosts.note("web", "a");
    assert.deepEqual([hosts.twinOf("web"), hosts.twinOf("vm1")], ["vm1", "web"]);
    hosts.note("vm1", "c"); // it was moved
    assert.equal(hosts.twinOf("web"), undefined);
  });

  it("have a target that tells port and way", () => {
    assert.equal(targetOf({ host: "a" }), targetOf({ host: "a", port: 22, user: "admin" }));
    assert.equal(targetOf({ host: "a", port: 1, proxy: { host: "b" } }), "a:1 through b:22");
  });
});

describe("a machine", () => {
  it("is told by its first command and by a look of its own, in the same way", async () => {
    const { stdout } = await execa("sh", ["-s", "--", "access", "vm1"], { input: hostScript("vm1", "me") });
    const server = await startSshServer();
    try {
      const found = await lookAtMachine({ host: "127.0.0.1", port: server.port, hostKey: server.hostKey });
      assert.match(found.id, /^[0-9a-f]{16}$/);
      assert.equal(found.id, machineIn(stdout));
      assert.deepEqual([found.owner, found.name, found.certChain, found.now], Array(4).fill(undefined));
    } finally {
      await server.close();
    }
    assert.equal(machineIn("vm1: access   ok: root on Debian GNU/Linux 12 (bookworm)"), undefined);
  });
});
