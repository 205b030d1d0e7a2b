import { certificates } from "./certificates";
import { type Check, type Finding, type Group, GROUPS } from "./check";
import { clock } from "./clock";
import { cluster } from "./cluster";
import { configuration } from "./configuration";
import type { Facts } from "./facts";
import { hosts } from "./hosts";
import { network } from "./network";
import { tools } from "./tools";

/** Every rule, by group. docs/checks.md is made of this table. */
export const CHECKS: Record<Group, Check[]> = { tools, configuration, cluster, certificates, clock, network, hosts };

/** Judges everything, in the order of the table. */
export function evaluate(facts: Facts): Finding[] {
  return GROUPS.flatMap((group) =>
    CHECKS[group].flatMap(({ code, title, fix, evaluate: judge }) =>
      judge(facts).map((verdict) => ({
        code,
        group,
        title,
        ...verdict,
        fix: verdict.result === "error" || verdict.result === "warning" ? (verdict.fix ?? fix) : undefined,
      })),
    ),
  );
}
