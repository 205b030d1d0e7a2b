import assert from "node:assert/strict";
import { capture, type CommandError } from "../../../tools/command";

describe("a command whose output is captured", () => {
  const sh = (script: string, seconds?: number) => capture("sh", ["-c", script], "in", seconds);
  const failure = (promise: Promise<unknown>) =>
    promise.then(
      () => assert.fail("it succeeded"),
      (error: CommandError) => error,
    );

  it("gets its input and gives its output", async () => {
    assert.equal(await sh("cat; echo put"), "input");
  });

  it("fails by what it said", async () => {
    const error = await failure(sh("echo no >&2; exit 1"));
    assert.deepEqual([error.message, error.output, error.missing], ["sh: no", "no", false]);
    // It closes its input before it says why.
    const unread = capture("sh", ["-c", "exec 0<&-; sleep 0.3; echo no >&2; exit 1"], "x".repeat(1 << 20));
    assert.equal((await failure(unread)).output, "no");
  });

  it("fails by its name where there is none", async () => {
    assert.equal((await failure(capture("no-such-tool", []))).message, "no-such-tool is not on the PATH");
  });

  it("is ended when it does not answer", async () => {
    assert.equal((await failure(sh("exec sleep 600", 0.2))).message, "sh: -c: no answer in 0.2 s");
  });
});
