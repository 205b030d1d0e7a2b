import { isUnavailable, type HostFacts } from "../diagnosis/facts";
import { type Impact, impactOf, type Surroundings } from "../diagnosis/impact";
import { INBOUND_HEADINGS, impactRows, OUTBOUND_HEADINGS, type Row, unknownOf } from "../diagnosis/impactRows";
import { kubectlFor } from "../tools/kubectl";
import { lookAtSockets } from "./facts/hosts";
import { readSurroundings } from "./facts/surroundings";
import { hostByName } from "./logs";
import { colours, print } from "./output";
import { startProgress } from "./progress";
import { readStack, requireConfig } from "./stack";
import { markedTable } from "./table";

export interface ImpactOptions {
  stack?: string;
  output: "text" | "json";
}

/** Of a host that could not be looked at, why. */
export type HostImpact = Impact | { host: string; problem: string };

/**
 * What would change for the traffic of hosts, as it is now, if they joined. Nothing is changed.
 *
 * @param args the name of a host; none for all that are not gone
 * @returns the exit code: 0 whatever is found, 1 if the cluster does not tell all, 2 if a host can't be looked at
 */
export async function impact({ stack: stackName, output }: ImpactOptions, [name]: string[]): Promise<number> {
  const progress = startProgress();
  progress.step("the stack");
  const stack = requireConfig(await readStack(stackName));
  const { config } = stack;
  const hosts = name === undefined ? config.hosts.filter(({ gone }) => !gone) : [hostByName(config, name)];
  const [seen, surroundings] = await Promise.all([
    lookAtSockets({ ...stack, config: { ...config, hosts } }, progress.count("hosts", hosts.length)),
    readSurroundings(stack, kubectlFor(config.cluster)),
  ]);
  progress.end();
  const impacts = seen.map((host, index): HostImpact => {
    const problem = unseen(host);
    if (problem !== undefined || "failure" in host) return { host: host.name, problem: problem! };
    return impactOf(hosts[index]!, host.inspection, { ...stack, surroundings });
  });
  print(
    output === "json"
      ? JSON.stringify({ hosts: impacts, unknown: unknownOf(surroundings) }, null, 2)
      : renderImpact(impacts, surroundings),
  );
  return impactExit(impacts, surroundings);
}

function unseen(host: HostFacts): string | undefined {
  if ("failure" in host) return host.failure.message;
  const { socketsProblem } = host.inspection;
  return socketsProblem && `its sockets can't be read: ${socketsProblem}: install iproute2 (rpm: iproute)`;
}

/** 2: a host could not be looked at; 1: the cluster did not tell all; else 0. */
export function impactExit(impacts: HostImpact[], surroundings: Surroundings): number {
  if (impacts.some((one) => "problem" in one)) return 2;
  return Object.values(surroundings).some(isUnavailable) ? 1 : 0;
}

const marked = (headings: string[], rows: Row[], paint: ReturnType<typeof colours>) =>
  rows.length === 0
    ? []
    : [
        markedTable(
          headings,
          rows.map(({ cells }) => cells),
          rows,
          paint,
        ),
      ];

/** What a person reads: for each host a sentence, what comes in, what goes out. */
export function renderImpact(impacts: HostImpact[], surroundings: Surroundings, paint = colours()): string {
  const parts = impacts.flatMap((one) => {
    if ("problem" in one) return [`${paint.red("✗")} ${paint.bold(one.host)} can't be looked at: ${one.problem}`];
    const { headline, inbound, outbound, notes } = impactRows(one);
    return [
      paint.bold(headline),
      ...marked(INBOUND_HEADINGS, inbound, paint),
      ...marked(OUTBOUND_HEADINGS, outbound, paint),
      ...(notes.length === 0 ? [] : [notes.join("\n")]),
    ];
  });
  const unknown = unknownOf(surroundings);
  return [...parts, ...(unknown.length === 0 ? [] : [unknown.join("\n")])].join("\n\n");
}
