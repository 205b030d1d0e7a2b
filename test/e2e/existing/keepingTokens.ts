import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { kubectl } from "../mesh";
import { assertNoKeyIn } from "../../support/privateKeys";
import type { ExistingStory } from "./story";

/** A JSON Web Token, such as those of service accounts. */
const TOKEN = /eyJ[\w-]{10,}\.(eyJ[\w-]{10,})\.[\w-]+/;

/** What a token in a text says; nothing if there is none. */
const claims = (text: string) => Buffer.from(TOKEN.exec(text)?.[1] ?? "", "base64url").toString();

/**
 * Those of these command lines, cut short, in which there is a token of vm1's. They are of all of this computer, other labs
 * included: tokens are told by the service account that they are of.
 */
export async function linesWithToken(lines: string[]): Promise<string[]> {
  const uid = await kubectl("get", "serviceaccount", "vm1", "--namespace=vm", "--output=jsonpath={.metadata.uid}");
  assert.match(uid, /^[0-9a-f-]{36}$/);
  return lines.filter((line) => claims(line).includes(uid)).map((line) => line.slice(0, 60));
}

/** No token, and no private key, is anywhere but where it is needed. */
export function keepingTokens(story: ExistingStory): void {
  describe("no token and no private key", () => {
    const assertNone = (texts: [place: string, text: string][]) => {
      assert.ok(
        texts.every(([, text]) => text.length > 0),
        "there is nothing to look at",
      );
      const found = texts.filter(([, text]) => TOKEN.test(text)).map(([place]) => place);
      assert.deepEqual(found, [], "tokens were found in these places");
      assertNoKeyIn(texts, story.keys);
    };

    it("would go unseen", async () => {
      const token = await kubectl("create", "token", "vm1", "--namespace=vm", "--audience=istio-ca");
      assert.match(token, TOKEN);
      assert.match(claims(token), /serviceaccount:vm:vm1/);
    });

    it("is in the state, which holds no token even as a secret", async () => {
      const { stdout: shown } = await story.stack.succeed(["stack", "export", "--show-secrets"]);
      assert.doesNotMatch(shown, TOKEN);
      const { stdout } = await story.stack.succeed(["stack", "export"]);
      assertNone([["pulumi stack export", stdout]]);
    });

    it("was in the output of any command, or in the engine's event logs", () => {
      assertNone(story.stack.transcript);
      const logs = readdirSync(story.folder).filter((name) => name.endsWith(".log"));
      assert.ok(logs.length > 0);
      // The SDK's debug messages repeat all that the engine answered, secrets of the configuration included.
      const isDebug = (event: string) => event.includes('"severity":"debug"');
      for (const name of logs) {
        const text = readFileSync(join(story.folder, name), "utf8");
        assert.doesNotMatch(text, TOKEN);
        const events = text.split("\n").filter((event) => !isDebug(event));
        assertNone([[name, events.join("\n")]]);
      }
    });

    it("was in the arguments of any process, here or on a host", async () => {
      const lines = [...story.arguments].filter((line) => line !== "");
      assert.ok(
        lines.some((line) => line.includes("istio-vm join")),
        "the watcher did not see join run",
      );
      assert.ok(
        lines.some((line) => /kubectl.* create token/.test(line)),
        "the watcher did not see a token asked for",
      );
      assert.deepEqual(await linesWithToken(lines), []);
      assertNoKeyIn(
        lines.map((line) => [line.slice(0, 60), line]),
        story.keys,
      );
    });

    it("is in a log of the VM, or of the cluster", async () => {
      const journal = await story.inVm("vm1", "journalctl", "--no-pager", "--output=export", "--all");
      const istiod = await kubectl("logs", "--namespace=istio-system", "--selector=app=istiod", "--tail=-1");
      assert.match(istiod, /vm1\.vm/);
      assertNone([
        ["vm1's journal", journal],
        ["vm1's log of the sidecar", story.fileOfVm("/var/log/istio/istio.log")],
        ["istiod", istiod],
      ]);
    });
  });
}
