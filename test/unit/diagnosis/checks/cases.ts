import assert from "node:assert/strict";
import type { Check, Finding, Group, Verdict } from "../../../../diagnosis/checks/check";
import type { Facts } from "../../../../diagnosis/facts";
import { CHECKS, evaluate } from "../../../../diagnosis/checks";
import { healthyFacts } from "./facts";

/** One thing that is wrong with a mesh in which all else is well. */
export interface Case {
  /** What is wrong. */
  when: string;
  /** In which mesh. Default: healthyFacts. */
  in?: () => Promise<Facts>;
  /** Makes it so. */
  break: (facts: Facts) => unknown;
  /** Every warning and error of the check, as it says them. Empty: just not enough to be one. */
  finds: Verdict[];
  /** Other checks that must find something too, and why. */
  also?: Record<string, string>;
}

export const isBad = ({ result }: Verdict) => result === "warning" || result === "error";

/** The warnings and errors. */
export const problems = (facts: Facts): Finding[] => evaluate(facts).filter(isBad);

/** As `evaluate` reports a verdict of this check. */
const reported = (group: Group, { code, title, fix }: Check, verdict: Verdict): Finding => ({
  code,
  group,
  title,
  ...verdict,
  fix: verdict.fix ?? fix,
});

/** Tests that each case is found, by its check alone; and that no check of the group is without a case. */
export function testChecks(group: Group, cases: Record<string, Case[]>): void {
  describe(`checks: ${group}`, () => {
    it("each check has a case that it finds", () => {
      const found = Object.keys(cases).filter((code) => cases[code]!.some(({ finds }) => finds.length > 0));
      assert.deepEqual(
        found.sort(),
        CHECKS[group].map(({ code }) => code),
      );
    });

    for (const check of CHECKS[group]) {
      for (const { when, in: mesh = healthyFacts, break: spoil, finds, also = {} } of cases[check.code] ?? []) {
        it(`${check.code}: ${when}`, async () => {
          const facts = await mesh();
          await spoil(facts);
          const found = problems(facts);
          assert.deepEqual(
            found.filter(({ code }) => code === check.code),
            finds.map((verdict) => reported(group, check, verdict)),
          );
          const others = found.map(({ code }) => code).filter((code) => code !== check.code);
          assert.deepEqual([...new Set(others)].sort(), Object.keys(also).sort());
        });
      }
    }
  });
}
