import assert from "node:assert/strict";
import { verdict } from "../../../cli/rotate";

describe("istio-vm rotate", () => {
  const at = (signer: string, known: string[], waitsFor: string[] = []) => ({ known, signer, wanted: "2.1", waitsFor });
  const prepared = at("1.1", ["1.1", "2.1"]);

  it("goes on as long as something moves", () => {
    assert.equal(verdict(undefined, prepared).exitCode, undefined);
    assert.equal(verdict(prepared, at("2.1", ["1.1", "2.1"])).exitCode, undefined);
  });

  it("ends when the mesh has the CA that is wanted, alone", () => {
    assert.deepEqual(verdict(prepared, at("2.1", ["2.1"])), { text: "the mesh has the CA 2.1 alone", exitCode: 0 });
    assert.equal(verdict(undefined, at("2.1", ["2.1"])).exitCode, 0);
    assert.equal(verdict(undefined, at("1.1", ["1.1"])).exitCode, undefined, "an update has yet to begin with it");
  });

  it("ends where nothing moves, with whom it waits for", () => {
    const { text, exitCode } = verdict(prepared, { ...prepared, waitsFor: ["vm2.vm can't be asked"] });
    assert.equal(exitCode, 1);
    assert.match(text, /stays at this step, and waits for\n {2}vm2\.vm can't be asked$/);
    assert.doesNotMatch(verdict(prepared, prepared).text, /waits/);
  });
});
