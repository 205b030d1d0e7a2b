import type { Code } from "../../mesh/codes";

/**
 * Who writes a line: istiod, the agent or Envoy on a host, or what starts them there (istio-start.sh, by the journal);
 * or `pulumi up`, in the words of the command provider or of our scripts on a host.
 */
export type Speaker = "istiod" | "agent" | "Envoy" | "start" | "pulumi";

/** Those that speak on a host. */
export const ON_HOST: Speaker[] = ["agent", "Envoy", "start"];

/** How a cause shows in a log. */
export interface Sign {
  from: Speaker[];
  /** Matches within one line. Its named groups can be used in the sentence and the fix. */
  pattern: RegExp;
  /** What happened, in one sentence; `{name}` stands for a group of the pattern, `{where}` for the host or istiod. */
  sentence: string;
  /** If it is another one than the cause's. */
  fix?: string;
}

/** A known cause of trouble in a mesh with hosts outside of the cluster. */
export interface Cause {
  code: Code;
  title: string;
  /** A warning may be as it shall be: a request that was refused on purpose. */
  severity: "error" | "warning";
  /** Of several signs that a line has, the first one counts, in the order of the table. */
  signs: Sign[];
  /** A command, or what to do. */
  fix: string;
  /** Set where being in touch with istiod again says nothing of it: then it is over once the sidecar was started anew. */
  untilRestart?: true;
  /** Causes that have this one as a consequence: where one of them was found, this one is not worth a word. */
  follows?: Code[];
}
