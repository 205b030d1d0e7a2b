import assert from "node:assert/strict";
import { inWords, secondsLeft } from "../../../lab/durations";

describe("how much is left", () => {
  const known = { a: 100, b: 30, c: 50, d: 10 };
  const steps = [{ name: "a" }, { name: "b" }, { name: "c" }, { name: "d", needs: ["a"] }];

  it("packs the steps into the places, in their order", () => {
    assert.equal(secondsLeft(steps.slice(0, 3), 2, known), 100);
    assert.equal(secondsLeft(steps.slice(0, 3), 1, known), 180);
  });

  it("lets a step wait for those it needs", () => {
    assert.equal(secondsLeft(steps, 2, known), 110);
  });

  it("takes off what has been done", () => {
    const now = [{ name: "a", elapsed: 95 }, { name: "b", ended: true }, { name: "c" }, { name: "d", needs: ["a"] }];
    assert.equal(secondsLeft(now, 2, known), 50);
  });

  it("never counts below nothing", () => {
    assert.equal(secondsLeft([{ name: "b", elapsed: 99 }], 2, known), 0);
    assert.equal(secondsLeft([{ name: "unknown" }], 2, known), 0);
    assert.equal(secondsLeft([], 2, known), 0);
  });

  it("is told in minutes", () => {
    assert.equal(inWords(59), "less than a minute left");
    assert.equal(inWords(301), "about 6 min left");
  });
});
