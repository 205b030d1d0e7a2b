import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { local } from "../../../lab/plugins/command/local";
import { CheckError } from "../../../lab/plugins/errors";
import { UNKNOWN } from "../../../lab/plugins/values";
import { withDirectory } from "../support";

const request = {
  urn: "",
  type: "",
  name: "x",
  id: "x1",
  oldInputs: {},
  timeout: 0,
  signal: new AbortController().signal,
};

describe("plugins: command local.Command", () => {
  it("runs create and delete here, with its environment, and a preview runs nothing", async () => {
    await withDirectory(async (directory) => {
      const mark = join(directory, "mark");
      const inputs = { create: 'touch "$MARK" && echo made', delete: 'rm "$MARK"', environment: { MARK: mark } };
      const log: string[] = [];
      const common = { ...request, log: (_: string, message: string) => void log.push(message) };
      const preview = await local.create({ ...common, inputs, preview: true });
      assert.deepEqual([existsSync(mark), preview.state.stdout], [false, UNKNOWN]);
      const { state } = await local.create({ ...common, inputs, preview: false });
      assert.deepEqual([existsSync(mark), state.stdout, state.stderr, log], [true, "made", "", ["made"]]);
      await local.delete({ ...common, state });
      assert.equal(existsSync(mark), false);
    });
  });

  it("fails with the command and what it said", async () => {
    const common = { ...request, log: () => undefined };
    await assert.rejects(
      async () => local.delete({ ...common, state: { delete: "echo no >&2; exit 3" } }),
      /^Error: exit status 3: running "echo no >&2; exit 3":\nno$/,
    );
  });

  it("does nothing without a command, and refuses what it does not know", async () => {
    const common = { ...request, log: () => undefined };
    assert.equal((await local.create({ ...common, inputs: {}, preview: false })).state.stdout, "");
    const check = () => local.check({ ...common, news: { interpreter: ["x"] }, olds: {}, randomSeed: Buffer.of() });
    assert.throws(check, CheckError);
  });
});
