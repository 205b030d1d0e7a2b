import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { leaderOf } from "../../../lab/cgroups";
import { kubectl } from "../mesh";
import { assertNoKeyIn } from "../../support/privateKeys";
import type { Story } from "../story";

export function keepingSecrets(story: Story): void {
  describe("no private key", () => {
    const { keys } = story;

    before(() => {
      // Root, intermediate, vm1, vm2, the SSH key, and those of the other stack.
      assert.ok(keys.size >= 8, `only ${keys.size} private keys were found in the stacks' states`);
      const sshKey = readFileSync(join(story.lab.state, "ssh", "id_ed25519"), "utf8").trim();
      assert.ok(keys.has(sshKey), "the SSH key is not in the state");
    });

    it("is in the exported state, or in any file of the backend", async () => {
      const { stdout } = await story.stack.succeed(["stack", "export"]);
      assertNoKeyIn([["pulumi stack export", stdout]], keys);
      assertNoKeyIn(filesBelow(story.stack.folder), keys);
    });

    it("was in the output of any command, or in the engine's event logs", () => {
      assert.ok(story.stack.transcript.length > 10);
      assertNoKeyIn(story.stack.transcript, keys);
      // The SDK's debug messages, which only such a log has, repeat all that the engine answered, secrets included.
      const isDebug = (event: string) => event.includes('"severity":"debug"');
      const logs = [...filesBelow(story.folder)].map(([path, text]): [string, string] => {
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
      const all = [...story.arguments];
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
        const journal = await story.inVm(name, "journalctl", "--no-pager", "--output=export", "--all");
        assert.match(journal, /sudo/, "the journal says nothing of the join");
        assertNoKeyIn([["journal", journal]], keys);
        assertNoKeyIn(filesBelow(`/proc/${leaderOf(story.lab, name)}/root/var/log`), keys);
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
      assert.match(logs.find(([pod]) => pod.startsWith("pod istiod-"))?.[1] ?? "", /vm1\.vm/, "istiod's log");
      assertNoKeyIn(logs, keys);
      assertNoKeyIn(filesBelow(join(story.lab.state, "node", "log")), keys);
    });
  });
}

/** Every file below a folder with its bytes as text. Links are not followed: node_modules is one. */
function* filesBelow(folder: string): Generator<[string, string]> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesBelow(path);
    else if (entry.isFile() && statSync(path).size > 0) yield [path, readFileSync(path, "latin1")];
  }
}
