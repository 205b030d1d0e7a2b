import { type Config, installationOf } from "../../config";
import type { Code } from "../../mesh/codes";
import type { Joined } from "../inspection";
import {
  type ClusterFacts,
  type Facts,
  type HostFacts,
  isAvailable,
  isOurs,
  isUnavailable,
  type Unavailable,
} from "../facts";

/** The groups in which findings are shown, in this order. */
export const GROUPS = ["tools", "configuration", "cluster", "certificates", "clock", "network", "hosts"] as const;
export type Group = (typeof GROUPS)[number];

export type Result = "ok" | "warning" | "error" | "skipped";

/** What a check says of one subject: a host, a service, or the stack as a whole. */
export interface Verdict {
  result: Result;
  /** The host, service or namespace that it is about. */
  subject?: string;
  /** One sentence. */
  message: string;
  /** A command or what to do, if more is known than the check's own `fix`. */
  fix?: string;
}

/** One rule: what would break an update or the mesh, and how to tell. */
export interface Check {
  code: Code;
  /** What is looked at, as it is said when all is well. */
  title: string;
  /** What happens if it is not so. For docs/checks.md. */
  why: string;
  /** A command, or what to do. */
  fix: string;
  /** @returns at least one verdict */
  evaluate: (facts: Facts) => Verdict[];
}

/** A verdict with the check that it comes from. */
export interface Finding extends Verdict {
  code: Code;
  group: Group;
  title: string;
}

export const ok = (message = ""): Verdict[] => [{ result: "ok", message }];
export const skipped = (message: string): Verdict[] => [{ result: "skipped", message }];
export const warning = (message: string, fix?: string): Verdict[] => [{ result: "warning", message, fix }];
export const error = (message: string, fix?: string): Verdict[] => [{ result: "error", message, fix }];

/** The verdicts about one subject. */
export const about = (subject: string, verdicts: Verdict[]): Verdict[] =>
  verdicts.map((verdict) => ({ ...verdict, subject }));

/** A verdict for each, or one `ok` if there is nothing wrong. */
export function each<T>(items: T[], verdicts: (item: T) => Verdict[]): Verdict[] {
  return items.length === 0 ? ok() : items.flatMap(verdicts);
}

/** Facts with a configuration. Without one neither the cluster nor a host can be asked. */
export type Configured = Facts & { config: Config };
const isConfigured = (facts: Facts): facts is Configured => facts.config !== undefined;

/** A check that needs a valid configuration. */
export function ofConfig(judge: (facts: Configured) => Verdict[]): Check["evaluate"] {
  return (facts) => {
    if (isConfigured(facts)) return judge(facts);
    return skipped(facts.stackProblem === undefined ? "the configuration is not valid" : "the stack can't be read");
  };
}

/** A check of a control plane that the stack installs. */
export function ofInstallation(
  judge: (installation: NonNullable<ReturnType<typeof installationOf>>, facts: Configured) => Verdict[],
): Check["evaluate"] {
  return ofConfig((facts) => {
    const installation = installationOf(facts.config);
    return installation === undefined ? skipped("the control plane is there already") : judge(installation, facts);
  });
}

/** Where a fact that could not be read is told of. */
export const findingOf = ({ forbidden }: Unavailable) => (forbidden ? "IVM303" : "IVM301");

/**
 * A check of these facts of the cluster. Where it does not answer, or lets this user not read one of them, that is a
 * finding of its own (IVM301, IVM303).
 */
export function ofCluster<Needed extends keyof ClusterFacts>(
  needed: Needed[],
  judge: (cluster: Pick<ClusterFacts, Needed>, facts: Configured) => Verdict[],
): Check["evaluate"] {
  return ofConfig((facts) => {
    const { cluster } = facts;
    if (!isAvailable(cluster)) return skipped("the cluster could not be asked");
    for (const name of needed) {
      const fact = cluster[name];
      if (isUnavailable(fact)) return skipped(`what it judges could not be read (${findingOf(fact)})`);
    }
    return judge(cluster as ClusterFacts, facts);
  });
}

/** A host that answered. */
export type Inspected = Extract<HostFacts, { inspection: unknown }>;
export const wasInspected = (host: HostFacts): host is Inspected => "inspection" in host;

/** A check of each host, whether it answered or not. */
export function ofAllHosts(judge: (host: HostFacts, facts: Configured) => Verdict[]): Check["evaluate"] {
  return ofConfig((facts) =>
    facts.hosts.length === 0
      ? skipped("there are no hosts")
      : facts.hosts.flatMap((host) => about(host.name, judge(host, facts))),
  );
}

/** What the configuration says of a host: only its hosts are asked. */
export const hostConfig = ({ hosts }: Config, name: string) => hosts.find((host) => host.name === name)!;

/** Of a host that has its finding elsewhere. */
export const notAsked = ({ name }: HostFacts) => skipped(`${name} could not be asked`);
/** Whether the configuration says that it no longer exists, so that nothing was asked of it. */
export const isGone = (host: HostFacts) => "failure" in host && host.failure.kind === "gone";

/** A check of each host that answered; the others have a finding of their own (IVM601, 602, 608, 610). */
export function ofHosts(judge: (host: Inspected, facts: Configured) => Verdict[]): Check["evaluate"] {
  return ofAllHosts((host, facts) => {
    if (wasInspected(host)) return judge(host, facts);
    return isGone(host) ? skipped(`${host.name} is marked as gone`) : notAsked(host);
  });
}

/** A check of each host that is joined, unless another stack did it: that is one finding (IVM701), not many. */
export function ofJoined(judge: (joined: Joined, host: Inspected, facts: Configured) => Verdict[]): Check["evaluate"] {
  return ofHosts((host, facts) => {
    const { joined } = host.inspection;
    if (joined === undefined) return skipped(`${host.name} is not joined`);
    return isOurs(joined, facts) ? judge(joined, host, facts) : skipped(`${host.name} was joined by another stack`);
  });
}
