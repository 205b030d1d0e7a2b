import assert from "node:assert/strict";
import { cluster } from "./breakages/cluster";
import { configuration } from "./breakages/configuration";
import { hosts } from "./breakages/hosts";
import type { Site } from "./site";

export function diagnosing(site: Site): void {
  describe("doctor", () => {
    /** What is wrong now, as codes, each once. */
    const codes = async () => {
      const findings = await site.findings();
      return { findings, codes: [...new Set(findings.map(({ code }) => code))].sort() };
    };

    it("finds nothing where all is well", async () => {
      assert.deepEqual(await site.findings(), []);
    });

    for (const { code, also = [], may = [], what, says, config, make, mend } of [
      ...configuration,
      ...cluster,
      ...hosts,
    ]) {
      it(`tells ${what} by ${code}`, async () => {
        if (config) site.configure(config(site.config));
        try {
          await make?.(site);
          const { findings, codes: found } = await codes();
          const text = JSON.stringify(findings, null, 1);
          assert.deepEqual(
            found.filter((each) => !may.includes(each)),
            [code, ...also].sort(),
            text,
          );
          assert.ok(
            findings.some((finding) => finding.code === code && says.test(finding.message)),
            text,
          );
        } finally {
          await mend?.(site);
          site.configure(site.config);
        }
      });
    }

    it("and all is well again at the end", async () => {
      assert.deepEqual(await site.findings(), []);
    });
  });
}
