import assert from "node:assert/strict";
import { CheckError } from "../../../lab/plugins/errors";
import { random, randomId } from "../../../lab/plugins/random/main";
import { secret, UNKNOWN } from "../../../lab/plugins/values";
import { about, checkRequest, createRequest, diffRequest } from "./support";

describe("plugins: random", () => {
  it("makes an id in all forms", async () => {
    const { id, state } = await randomId.create(createRequest({ byteLength: 4, prefix: "p-", keepers: { a: "1" } }));
    const bytes = Buffer.from(id, "base64url");
    assert.equal(bytes.length, 4);
    assert.deepEqual(state, {
      byteLength: 4,
      prefix: "p-",
      keepers: { a: "1" },
      hex: `p-${bytes.toString("hex")}`,
      dec: `p-${bytes.readUInt32BE()}`,
      b64Url: `p-${id}`,
      b64Std: `p-${bytes.toString("base64")}`,
    });
  });

  it("knows nothing but the inputs in a preview", async () => {
    const { id, state } = await randomId.create(createRequest({ byteLength: 4 }, true));
    assert.deepEqual([id, state.byteLength, state.hex], ["", 4, UNKNOWN]);
  });

  it("keeps the secrets of the inputs", async () => {
    const { state } = await randomId.create(createRequest({ byteLength: 4, keepers: { a: secret("s") } }));
    assert.deepEqual(state.keepers, { a: secret("s") });
  });

  it("is replaced when an input changes, and only then", async () => {
    const inputs = { byteLength: 4, keepers: { a: "1" } };
    const changed = await randomId.diff(diffRequest(inputs, { byteLength: 4, keepers: { a: "2" } }));
    assert.deepEqual([[...changed.changes], changed.replaces], [[["keepers.a", "UPDATE"]], ["keepers.a"]]);
    assert.equal((await randomId.diff(diffRequest(inputs, inputs))).changes.size, 0);
  });

  it("stays as it is at a refresh", async () => {
    const request = {
      ...about(),
      id: "AAAA",
      inputs: { byteLength: 3 },
      state: { byteLength: 3, hex: "000000" },
      timeout: 0,
    };
    const { id, inputs, state } = request;
    assert.deepEqual(await randomId.read(request), { id, inputs, state });
  });

  it("refuses what it does not implement", () => {
    assert.throws(() => randomId.check(checkRequest({ byteLength: 4, keeper: {} })), CheckError);
    assert.throws(() => randomId.check(checkRequest({ prefix: "x" })), /missing required property 'byteLength'/);
    assert.equal(random.resource("random:index/randomPassword:RandomPassword"), undefined);
  });
});
