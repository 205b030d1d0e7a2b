import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { CAUSES } from "../../../diagnosis/causes";
import type { Cause } from "../../../diagnosis/causes/cause";
import { CHECKS } from "../../../diagnosis/checks";
import { CODES, RETIRED_CODES } from "../../../mesh/codes";

const checkout = join(__dirname, "../../..");

describe("codes", () => {
  const causes: Cause[] = Object.values(CAUSES).flat();
  const used = [...Object.values(CHECKS).flat(), ...causes].map(({ code }) => code);

  it("are each a check's or a cause's, in the order of the tables, and given once", () => {
    assert.deepEqual(used, CODES);
    assert.equal(new Set([...CODES, ...RETIRED_CODES]).size, CODES.length + RETIRED_CODES.length);
  });

  it("are named by shell, program, command line and documents only if they stand for something now", () => {
    const folders = ["docs", "config", "components", "mesh", "diagnosis", "tools", "ssh", "host", "cli"];
    const inFolders = folders.flatMap((folder) =>
      readdirSync(join(checkout, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => relative(checkout, join(entry.parentPath, entry.name))),
    );
    const files = [
      "README.md",
      "CONTRIBUTING.md",
      "CHANGELOG.md",
      "index.ts",
      "installation.ts",
      "hosts.ts",
      ...inFolders,
    ];
    assert.ok(files.length > 100);
    const named = files.flatMap((file) =>
      [...readFileSync(join(checkout, file), "utf8").matchAll(/\bIVM\d{3}\b/g)].map(([code]) => ({ file, code })),
    );
    assert.ok(named.length > used.length);
    const current: readonly string[] = CODES;
    const past = ({ file, code }: (typeof named)[number]) => file === "CHANGELOG.md" && RETIRED_CODES.includes(code);
    assert.deepEqual(
      named.filter((one) => !current.includes(one.code) && !past(one)),
      [],
    );
  });
});
