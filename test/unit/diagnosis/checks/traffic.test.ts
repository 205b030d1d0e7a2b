import assert from "node:assert/strict";
import { evaluate } from "../../../../diagnosis/checks";
import type { Facts } from "../../../../diagnosis/facts";
import { freshFacts, healthyFacts, inspectionOf } from "./facts";

describe("what a join would change", () => {
  const saidOf = (facts: Facts, code: string) =>
    evaluate(facts).flatMap((one) => (one.code === code && one.subject === "vm2" ? [one.result, one.message] : []));

  it("is not judged of a host that is joined", async () => {
    for (const code of ["IVM745", "IVM746", "IVM747"]) {
      assert.deepEqual(saidOf(await healthyFacts(), code), ["skipped", "vm2 is joined already"]);
    }
  });

  it("is not said to be nothing where the sockets can't be read", async () => {
    const facts = await freshFacts();
    Object.assign(inspectionOf(facts, "vm2"), { sockets: [], socketsProblem: "ss: not found" });
    for (const code of ["IVM745", "IVM746", "IVM747"]) {
      assert.deepEqual(saidOf(facts, code), ["skipped", "vm2: its sockets can't be read: ss: not found"]);
    }
  });

  it("is not said to be nothing where it may not be read who is in the mesh, or what is refused", async () => {
    const [problem, why] = ["jo may not read it", "vm2: which clients are outside the mesh is not known:"];
    for (const fact of ["pods", "peerAuthentications", "rootNamespaces"] as const) {
      const facts = await freshFacts();
      facts.surroundings![fact] = { problem, forbidden: true };
      assert.deepEqual(saidOf(facts, "IVM745"), ["skipped", `${why} ${problem}`]);
      assert.deepEqual(saidOf(facts, "IVM747"), ["ok", ""], "that is of the host alone");
    }
    const facts = await freshFacts();
    facts.surroundings = undefined;
    assert.deepEqual(saidOf(facts, "IVM746"), ["skipped", `${why} the cluster could not be asked`]);
  });
});
