import { createHash } from "node:crypto";

/**
 * The keys of a state, in their order. `once`: the scripts read one line (`fact KEY`), else all (`facts KEY`); `reader`:
 * they name the key, or take it from a file's source, or leave it to people and to Pulumi, which runs join again when a
 * line has changed.
 */
export const STATE_KEYS = {
  host: { once: true, reader: "scripts", meaning: "the name of the host in this stack" },
  owner: { once: true, reader: "scripts", meaning: "the stack's owner mark" },
  identity: { once: true, reader: "scripts", meaning: "the host's SPIFFE ID" },
  package: { once: true, reader: "scripts", meaning: "SHA-256 of the sidecar package, and where the host gets it" },
  istiod: { once: true, reader: "scripts", meaning: "address and port of istiod as the host sees it" },
  "not-before": { once: true, reader: "scripts", meaning: "when its certificate begins, as an epoch and for people" },
  "not-after": { once: true, reader: "scripts", meaning: "when it ends" },
  hosts: { once: false, reader: "file", meaning: "a line of /etc/hosts" },
  "cluster.env": { once: false, reader: "scripts", meaning: "a variable: the mesh" },
  "sidecar.env": { once: false, reader: "file", meaning: "a variable: the host" },
  file: { once: false, reader: "scripts", meaning: "mode, path and source of a file, and `restart` (host/files.sh)" },
  scripts: { once: true, reader: "people", meaning: "digest of the scripts: a new version of them runs on every host" },
  run: { once: true, reader: "people", meaning: "when it was asked for, if nothing else has changed" },
} as const;

export type StateKey = keyof typeof STATE_KEYS;

/** A file that join puts on a host: a line of the state, which is all that the scripts need (host/files.sh). */
export interface HostFile {
  path: string;
  /** Octal, such as `0600`; `-` for a file that is the operator's. */
  mode: string;
  /**
   * The state's lines under a key, or those as our block in the operator's file; else the file is in the bundle under
   * its own name, and this tells which one it is: a digest, or for a private key the certificate that it belongs to.
   */
  source: `${"lines" | "block"}:${StateKey}` | `${"sha256" | "of-certificate"}:${string}`;
  /** Whether the sidecar must start anew to see a change. */
  restart?: boolean;
}

/** The state that a host shall have, as the join script reads it: text, one fact a line, nothing secret. */
export interface HostState {
  /** The name of the host in this stack. */
  name: string;
  /** The stack's owner mark. */
  owner: string;
  identity: string;
  /** SHA-256 of the sidecar package, in hex. */
  packageSha256: string;
  /** Where the host gets the package: an http(s) URL, or the path to which it was copied. */
  packageSource: string;
  /** The address of istiod as the host sees it. */
  istiodAddress: string;
  istiodPort: number;
  /** Start and end of the workload certificate's validity. */
  notBefore: Date;
  notAfter: Date;
  hostsEntry: string;
  clusterEnv: string[];
  sidecarEnv: string[];
  files: HostFile[];
  /** Digest of the scripts themselves: a new version of them runs again on every host. */
  scripts: string;
  /** When it was asked for, if it shall be put right even though nothing changed. */
  run?: Date;
}

export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** Facts as text, in the order of the keys. */
export function stateText(facts: Partial<Record<StateKey, string[]>>): string {
  const keys = Object.keys(STATE_KEYS) as StateKey[];
  return keys.flatMap((key) => (facts[key] ?? []).map((fact) => `${key} ${fact}`)).join("\n");
}

/** The state as text. `pulumi preview --diff` shows it line by line, so each fact has a line of its own. */
export function renderState(state: HostState): string {
  const seconds = (date: Date) => Math.floor(date.getTime() / 1000);
  const utc = (date: Date) => date.toISOString().replace(".000", "");
  return stateText({
    host: [state.name],
    owner: [state.owner],
    identity: [state.identity],
    package: [`${state.packageSha256} ${state.packageSource}`],
    istiod: [`${state.istiodAddress} ${state.istiodPort}`],
    "not-before": [`${seconds(state.notBefore)} ${utc(state.notBefore)}`],
    "not-after": [`${seconds(state.notAfter)} ${utc(state.notAfter)}`],
    hosts: [state.hostsEntry],
    "cluster.env": state.clusterEnv,
    "sidecar.env": state.sidecarEnv,
    file: state.files.map(({ path, mode, source, restart }) => `${mode} ${path} ${source}${restart ? " restart" : ""}`),
    scripts: [state.scripts],
    run: state.run === undefined ? [] : [state.run.toISOString()],
  });
}
