import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { goVersion } from "../../../lab/recipes/go";

describe("lab/toolchain.sh", () => {
  it("brings the very Go that the lab's programs are compiled with", () => {
    const [, version] = /^go_version=(.+)$/m.exec(readFileSync("lab/toolchain.sh", "utf8"))!;
    assert.equal(`go${version}`, goVersion);
  });
});
