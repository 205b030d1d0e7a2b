import assert from "node:assert/strict";
import { letsGo, type Ports, takenIn, takenPorts, takes } from "../../../mesh/capture";

describe("what a sidecar takes", () => {
  it("is the inbound ports, or nothing", () => {
    assert.deepEqual(takenPorts("none", [80]), []);
    assert.deepEqual(takenPorts("none", "*"), []);
    assert.deepEqual(takenPorts("inbound", [80]), [80]);
    assert.equal(takenPorts("all", "*"), "*");
  });

  it("is a port that is listed, or any but SSH's and the sidecar's own", () => {
    assert.ok(takes([80], 80, 22));
    assert.ok(!takes([80], 81, 22));
    const never = [22, 2222, 15000, 15021, 15099];
    for (const port of never) assert.ok(!takes("*", port, 2222), `${port}`);
    assert.ok(takes("*", 80, 2222));
  });

  it("is read from a state, in whatever text that stands", () => {
    const state = (ports: string) => `x\ncluster.env ISTIO_SERVICE_CIDR=\ncluster.env ISTIO_INBOUND_PORTS=${ports}\ny`;
    assert.deepEqual(takenIn(state("80,8080")), [80, 8080]);
    assert.deepEqual(takenIn(state("")), []);
    assert.equal(takenIn(state("*")), "*");
    assert.deepEqual(takenIn("no state"), []);
  });

  for (const [before, after, expected] of [
    [[80], [80], false],
    [[80], [80, 81], false],
    [[80, 81], [81], true],
    [[80], [], true],
    [[], [], false],
    [[80], "*", false],
    ["*", "*", false],
    ["*", [80], true],
  ] as [Ports, Ports, boolean][]) {
    it(`${expected ? "loses" : "does not lose"} a port from ${JSON.stringify(before)} to ${JSON.stringify(after)}`, () =>
      assert.equal(letsGo(before, after), expected));
  }
});
