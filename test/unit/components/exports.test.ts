import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as components from "pulumi-istio-vm/components";

describe("the package, as other programs import it", () => {
  const folder = join(__dirname, "../../../components");
  const classes = readdirSync(folder)
    .filter((file) => file !== "index.ts")
    .map((file) => ({ file, names: readFileSync(join(folder, file), "utf8").match(/(?<=^export class )\w+/gm) ?? [] }));

  it("has every component, a file each, and nothing else", () => {
    for (const { file, names } of classes) assert.equal(names.length, 1, file);
    assert.deepEqual(Object.keys(components).sort(), classes.flatMap(({ names }) => names).sort());
  });
});
