import assert from "node:assert/strict";
import { CheckError } from "../errors";
import { random, randomId } from "../random/main";
import { UNKNOWN } from "../values";
import { about, checkRequest, createRequest, diffRequest } from "./support";

describe("stand-ins: random", () => {
  it("makes an id", async () => {
    const { id, state } = await randomId.create(createRequest({ byteLength: 4 }));
    assert.equal(Buffer.from(id, "base64url").length, 4);
    assert.deepEqual(state, { byteLength: 4, hex: Buffer.from(id, "base64url").toString("hex") });
  });

  it("knows nothing but the inputs in a preview", async () => {
    const { id, state } = await randomId.create(createRequest({ byteLength: 4 }, true));
    assert.deepEqual([id, state.byteLength, state.hex], ["", 4, UNKNOWN]);
  });

  it("is replaced when an input changes, and only then", async () => {
    const changed = await randomId.diff(diffRequest({ byteLength: 4 }, { byteLength: 5 }));
    assert.deepEqual([[...changed.changes], changed.replaces], [[["byteLength", "UPDATE"]], ["byteLength"]]);
    assert.equal((await randomId.diff(diffRequest({ byteLength: 4 }, { byteLength: 4 }))).changes.size, 0);
  });

  it("stays as it is at a refresh", async () => {
    const resource = { id: "AAAA", inputs: { byteLength: 3 }, state: { byteLength: 3, hex: "000000" } };
    assert.deepEqual(await randomId.read({ ...about(), ...resource }), resource);
  });

  it("refuses what it does not implement", () => {
    assert.throws(() => randomId.check(checkRequest({ byteLength: 4, prefix: "x" })), CheckError);
    assert.throws(() => randomId.check(checkRequest({})), /missing required property 'byteLength'/);
    assert.equal(random.resource("random:index/randomPassword:RandomPassword"), undefined);
  });
});
