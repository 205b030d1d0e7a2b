import assert from "node:assert/strict";
import { endedIdentities } from "../../../ssh/ended";
import type { Machine } from "../../../ssh/machine";
import type { Login } from "../../../ssh/session";
import { certificate } from "../support";

describe("endedIdentities", () => {
  const logins = (...names: string[]) => new Map(names.map((name): [string, Login] => [name, { host: name }]));
  let certChain: string;
  before(async () => (certChain = await certificate({ uris: ["spiffe://cluster.local/ns/vm/sa/vm1"] })));
  const [during, after] = [new Date("2026-12-31T23:59:59Z"), new Date("2027-01-01T00:00:00Z")];
  const machine = (name: string, now: Date) => ({ id: "a", name, now, certChain });

  it("tells which ended, by each host's own clock", async () => {
    const ended = await endedIdentities(logins("vm1", "vm2"), ({ host }) =>
      Promise.resolve(machine(host, host === "vm1" ? after : during)),
    );
    assert.deepEqual([...ended], [["vm1", after]]);
  });

  it("says nothing of hosts that are not joined, are another's, or can't be asked", async () => {
    const ended = await endedIdentities(logins("vm1", "vm2", "vm3", "vm4", "vm5"), ({ host }): Promise<Machine> => {
      if (host === "vm1") return Promise.resolve({ id: "a" });
      if (host === "vm2") return Promise.resolve(machine("other", after));
      if (host === "vm3") return Promise.reject(new Error("refused"));
      if (host === "vm4") return Promise.resolve({ ...machine(host, after), certChain: "none" });
      return Promise.resolve({ ...machine(host, after), now: undefined });
    });
    assert.deepEqual([...ended], []);
  });

  it("waits no longer than its limit for a host that does not answer", async () => {
    const never = () => new Promise<never>(() => undefined);
    assert.deepEqual([...(await endedIdentities(logins("vm1"), never, 10))], []);
  });
});
