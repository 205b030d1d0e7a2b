import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { isDual, makeDual } from "../../../lab/dual";
import { labByName } from "../../../lab/paths";
import { withDirectory } from "../support";

describe("a lab with both families of addresses", () => {
  const withLab = (use: (lab: ReturnType<typeof labByName>) => void) =>
    withDirectory((directory) => Promise.resolve(use({ ...labByName("unit"), state: join(directory, "state") })));

  it("is one from its beginning, and stays one", () =>
    withLab((lab) => {
      assert.equal(isDual(lab), false);
      makeDual(lab);
      assert.equal(isDual(lab), true);
      mkdirSync(join(lab.state, "node", "pki"), { recursive: true });
      makeDual(lab);
    }));

  it("is not made of one that has a cluster", () =>
    withLab((lab) => {
      mkdirSync(join(lab.state, "node", "pki"), { recursive: true });
      assert.throws(() => makeDual(lab), /has a cluster of IPv4 alone: clean it first/);
      assert.equal(isDual(lab), false);
    }));
});
