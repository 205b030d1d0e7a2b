import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { withDirectory } from "../../test/unit/support";
import { local } from "../command/local";
import { CheckError } from "../errors";
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

  it("fails with the command and what it said", async () => {
    await assert.rejects(
      async () => local.delete({ ...about(), state: { delete: "echo no >&2; exit 3" } }),
      /^Error: exit status 3: running "echo no >&2; exit 3":\nno$/,
    );
  });

  it("does nothing without a command, and refuses what it does not know", async () => {
    await local.delete({ ...about(), state: {} });
    assert.throws(() => local.check(checkRequest({ create: "x" })), CheckError);
  });
});
