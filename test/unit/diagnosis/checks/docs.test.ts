import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { renderChecks } from "../../../../diagnosis/checks/docs";
import { CHECKS } from "../../../../diagnosis/checks";

describe("docs/checks.md", () => {
  it("has a heading for each check, to which findings link", () => {
    const headings = [...renderChecks().matchAll(/^### (IVM\d{3})$/gm)].map(([, code]) => code);
    assert.deepEqual(
      headings,
      Object.values(CHECKS).flatMap((checks) => checks.map(({ code }) => code)),
    );
  });

  it("is made of the table as it is", () => {
    const written = readFileSync(join(__dirname, "../../../../docs/checks.md"), "utf8");
    assert.ok(written === renderChecks(), "docs/checks.md is out of date: npm run docs");
  });
});
