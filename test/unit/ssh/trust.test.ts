import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SENT_IDENTITY } from "../../../mesh/environment";
import { lookAtMachine, type Machine } from "../../../ssh/machine";
import { trustOfHosts } from "../../../ssh/trust";
import { startSshServer } from "../../support/sshServer";
import { withCommands, withDirectory } from "../support";

const host = (name: string, namespace = "vm") => ({ name, namespace, login: { host: name } });
const files = { rootCert: "roots\n", certChain: "chain\n", sentChain: "sent\n", lists: "lists\n" };

describe("trustOfHosts", () => {
  const told = (machines: Record<string, Machine | Error>, hosts = Object.keys(machines).map((name) => host(name))) =>
    trustOfHosts(hosts, ({ host: name }) => {
      const machine = machines[name]!;
      return machine instanceof Error ? Promise.reject(machine) : Promise.resolve(machine);
    });

  it("tells what each believes, has and was sent, as istiod calls it", async () => {
    const machines = { vm1: { id: "a", name: "vm1", ...files }, vm2: { id: "b", name: "vm2", rootCert: "other\n" } };
    assert.deepEqual(await told(machines, [host("vm1"), host("vm2", "db")]), [
      { proxy: "vm1.vm", roots: "roots\n", certChain: "chain\n", sentChain: "sent\n", lists: "lists\n" },
      { proxy: "vm2.db", roots: "other\n", certChain: undefined, sentChain: undefined, lists: undefined },
    ]);
  });

  it("says why one can't be asked, and asks the others", async () => {
    const machines = { vm1: new Error("vm1 refuses connections"), vm2: { id: "b", name: "vm2", ...files } };
    const [first, second] = await told(machines);
    assert.deepEqual(first, { proxy: "vm1.vm", problem: "can't be asked: vm1 refuses connections" });
    assert.equal(second?.roots, "roots\n");
  });

  it("says nothing of those that have not joined: they join with what there is then, and nobody may wait for them", async () => {
    const machines = { vm1: { id: "a" }, vm2: { id: "b", name: "else", ...files }, vm3: { id: "c", name: "vm3" } };
    assert.deepEqual(
      (await told(machines)).map(({ proxy }) => proxy),
      ["vm3.vm"],
    );
  });
});

describe("what a machine tells of its trust", () => {
  /** A look at a machine whose files are in this folder, by way of a shell that has them there. */
  const look = (folder: string) => {
    const places = {
      "/var/lib/istio-vm": "home",
      [SENT_IDENTITY]: "identity",
      "/etc/certs": "certs",
      "/var/lib/istio/crl": "crl",
    };
    const moved = Object.entries(places).map(([path, name]) => `s#${path}#${join(folder, name)}#g`);
    const commands = { id: "echo 0", sh: `sed '${moved.join(";")}' | /bin/sh "$@"` };
    return withCommands(commands, async () => {
      const server = await startSshServer();
      try {
        return await lookAtMachine({ host: "127.0.0.1", port: server.port, hostKey: server.hostKey });
      } finally {
        await server.close();
      }
    });
  };
  const joined = (folder: string) => {
    for (const name of ["home/record", "identity", "certs", "crl"]) mkdirSync(join(folder, name), { recursive: true });
    writeFileSync(join(folder, "home/record/owner"), "me\n");
    writeFileSync(join(folder, "home/state"), "host vm1\nowner me\n");
    writeFileSync(join(folder, "certs/root-cert.pem"), files.rootCert);
    writeFileSync(join(folder, "certs/cert-chain.pem"), files.certChain);
  };

  it("is its roots, its certificate, and what it was sent", () =>
    withDirectory(async (folder) => {
      joined(folder);
      writeFileSync(join(folder, "identity/cert-chain.pem"), files.sentChain);
      writeFileSync(join(folder, "crl/ca-crl.pem"), files.lists);
      const { id, now, ...rest } = await look(folder);
      assert.ok(id && now);
      assert.deepEqual(rest, { owner: "me", name: "vm1", ...files });
    }));

  it("is nothing that is not there, that is empty, or that is a link: who put it there may not read what it leads to", () =>
    withDirectory(async (folder) => {
      joined(folder);
      writeFileSync(join(folder, "certs/cert-chain.pem"), "");
      writeFileSync(join(folder, "elsewhere"), "secret\n");
      symlinkSync(join(folder, "elsewhere"), join(folder, "identity/cert-chain.pem"));
      const { rootCert, certChain, sentChain } = await look(folder);
      assert.deepEqual([rootCert, certChain, sentChain], [files.rootCert, undefined, undefined]);
    }));
});
