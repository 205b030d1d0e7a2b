import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { withDirectory } from "../../test/unit/support";
import { local } from "../command/local";
import { CheckError } from "../errors";
import { UNKNOWN } from "../values";
import { about, checkRequest, createRequest, Logged } from "./support";

describe("stand-ins: local.Command", () => {
  it("runs nothing when it is made, and its command when it is deleted", async () => {
    await withDirectory(async (directory) => {
      const mark = join(directory, "mark");
      const { state } = await local.create(createRequest({ delete: `echo gone; touch ${mark}` }));
      assert.deepEqual([existsSync(mark), state.stdout, state.stderr], [false, "", ""]);
      const logged: Logged[] = [];
      await local.delete({ ...about(logged), state });
      assert.deepEqual([existsSync(mark), logged], [true, [{ severity: "info#status", message: "gone" }]]);
    });
  });

  it("runs its command when it is made, and again when it is changed, but not in a preview", async () => {
    const logged: Logged[] = [];
    const inputs = { create: "echo made; echo beside >&2", delete: "x" };
    const preview = await local.create({ ...about(logged), inputs, preview: true });
    assert.deepEqual([preview.state.stdout, logged], [UNKNOWN, []]);
    const { state } = await local.create({ ...about(logged), inputs, preview: false });
    assert.deepEqual([state.stdout, state.stderr], ["made", "beside"]);
    const changed = { oldInputs: inputs, inputs: { ...inputs, create: "echo again" }, state };
    assert.equal((await local.update({ ...about(), ...changed, preview: true })).stdout, "made");
    assert.equal((await local.update({ ...about(), ...changed, preview: false })).stdout, "again");
    const silent = await local.update({ ...about(), ...changed, inputs: { delete: "y" }, preview: false });
    assert.deepEqual([silent.stdout, silent.delete], ["made", "y"]);
  });

  it("fails with the command and what it said", async () => {
    await assert.rejects(
      async () => local.delete({ ...about(), state: { delete: "echo no >&2; exit 3" } }),
      /^Error: exit status 3: running "echo no >&2; exit 3":\nno$/,
    );
  });

  it("does nothing without a command, and refuses what it does not know", async () => {
    await local.delete({ ...about(), state: {} });
    assert.throws(() => local.check(checkRequest({ stdin: "x" })), CheckError);
  });
});
