/** No private key is where it must not be: state, logs, arguments of commands, hosts, the cluster. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { leaderOf } from "../../lab/cgroups";
import type { Lab } from "../../lab/paths";
import { vmExec } from "../../lab/vm";
import { assertNoKeyIn } from "../support/privateKeys";
import type { TestStack } from "../support/testStack";
import { kubectl } from "./mesh";

/** A stack with vm1 and vm2, and what was seen of it. */
export interface Searched {
  lab: Lab;
  stack: TestStack;
  /** Has event logs of the engine. */
  folder: string;
  /** Of processes that ran during `pulumi up`. */
  arguments: Set<string>;
  /** Every private key that there has been. */
  keys: Set<string>;
}

/** The SSH key by which the lab's stacks log in. */
export const sshKeyOf = (lab: Lab) => readFileSync(join(lab.state, "ssh", "id_ed25519"), "utf8").trim();

/** @param least how many keys there have been at least */
export function keepingSecrets({ lab, stack, folder, keys, ...seen }: Searched, least: number): void {
  describe("no private key", () => {
    before(() => {
      assert.ok(keys.size >= least, `only ${keys.size} private keys were found`);
      assert.ok(keys.has(sshKeyOf(lab)), "the SSH key is not in the state");
    });

    it("is in the exported state, or in any file of the backend", async () => {
      const { stdout } = await stack.succeed(["stack", "export"]);
      assertNoKeyIn([["pulumi stack export", stdout]], keys);
      assertNoKeyIn(filesBelow(stack.folder), keys);
    });

    it("was in the output of any command, or in the engine's event logs", () => {
      assert.ok(stack.transcript.length > 10);
      assertNoKeyIn(stack.transcript, keys);
      // The SDK's debug messages, which only such a log has, repeat all that the engine answered, secrets included.
      const isDebug = (event: string) => event.includes('"severity":"debug"');
      const logs = [...filesBelow(folder)].map(([path, text]): [string, string] => {
        return [
          path,
          text
            .split("\n")
            .filter((event) => !isDebug(event))
            .join("\n"),
        ];
      });
      assertNoKeyIn(logs, keys);
    });

    it("was in the arguments of any process, here or on a host", () => {
      const all = [...seen.arguments];
      assert.ok(
        all.some((line) => /istio-vm join/.test(line)),
        `the watcher did not see join run on the hosts:\n${all.join("\n")}`,
      );
      assertNoKeyIn(
        all.map((line) => [line.slice(0, 60), line]),
        keys,
      );
    });

    for (const name of ["vm1", "vm2"]) {
      it(`is in a log of ${name}`, async () => {
        const journal = await vmExec(lab, name, ["journalctl", "--no-pager", "--output=export", "--all"]);
        assert.match(journal, /sudo/, "the journal says nothing of the join");
        assertNoKeyIn([["journal", journal]], keys);
        assertNoKeyIn(filesBelow(`/proc/${leaderOf(lab, name)}/root/var/log`), keys);
      });
    }

    it("is in a log of the cluster", async () => {
      const pods = JSON.parse(await kubectl("get", "pods", "--all-namespaces", "--output=json")) as {
        items: { metadata: { name: string; namespace: string } }[];
      };
      const logs = await Promise.all(
        pods.items.map(async ({ metadata: { name, namespace } }): Promise<[string, string]> => {
          return [`pod ${name}`, await kubectl("logs", `--namespace=${namespace}`, name, "--all-containers")];
        }),
      );
      const istiods = logs.filter(([pod]) => pod.startsWith("pod istiod-"));
      assert.match(istiods.map(([, log]) => log).join("\n"), /vm1\.vm/, "istiod's log");
      assertNoKeyIn(logs, keys);
      assertNoKeyIn(filesBelow(join(lab.state, "node", "log")), keys);
    });
  });
}

/** Every file below a folder with its bytes as text. Links are not followed: node_modules is one. */
export function* filesBelow(folder: string): Generator<[string, string]> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesBelow(path);
    else if (entry.isFile() && statSync(path).size > 0) yield [path, readFileSync(path, "latin1")];
  }
}
