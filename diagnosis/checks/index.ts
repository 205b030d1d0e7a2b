import { authorities } from "./certificates";
import { type Check, error, type Finding, type Group, GROUPS, type Verdict } from "./check";
import { clock } from "./clock";
import { cluster } from "./cluster";
import { configuration } from "./configuration";
import type { Facts } from "../facts";
import { hosts } from "./hosts";
import { identities } from "./identities";
import { network } from "./network";
import { rotation } from "./rotation";
import { tools } from "./tools";
import { traffic } from "./traffic";

/** Every rule, by group. docs/checks.md is made of this table. */
export const CHECKS: Record<Group, Check[]> = {
  tools,
  configuration,
  cluster,
  certificates: [...authorities, ...identities, ...rotation],
  clock,
  network,
  hosts: [...hosts, ...traffic],
};

/** Judges everything, in the order of the table. */
export function evaluate(facts: Facts): Finding[] {
  return GROUPS.flatMap((group) =>
    CHECKS[group].flatMap(({ code, title, fix, evaluate: judge }) =>
      judged(judge, facts).map((verdict) => ({
        code,
        group,
        title,
        ...verdict,
        fix: verdict.result === "error" || verdict.result === "warning" ? (verdict.fix ?? fix) : undefined,
      })),
    ),
  );
}

/** A certificate that is none, for example, must not keep the other checks from being told. */
function judged(judge: Check["evaluate"], facts: Facts): Verdict[] {
  try {
    return judge(facts);
  } catch (problem) {
    return error(`it can't be judged: ${(problem as Error).message}`);
  }
}
