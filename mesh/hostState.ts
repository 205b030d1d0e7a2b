import { createHash } from "node:crypto";

/** A file that join puts on a host. */
export interface HostFile {
  path: string;
  /** Octal, such as `0600`. */
  mode: string;
  /** What the state tells of the content: a digest, or for a private key the certificate that it belongs to. */
  content: string;
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

/** The state as text. `pulumi preview --diff` shows it line by line, so each fact has a line of its own. */
export function renderState(state: HostState): string {
  const seconds = (date: Date) => Math.floor(date.getTime() / 1000);
  const utc = (date: Date) => date.toISOString().replace(".000", "");
  return [
    `host ${state.name}`,
    `owner ${state.owner}`,
    `identity ${state.identity}`,
    `package ${state.packageSha256} ${state.packageSource}`,
    `istiod ${state.istiodAddress} ${state.istiodPort}`,
    `not-before ${seconds(state.notBefore)} ${utc(state.notBefore)}`,
    `not-after ${seconds(state.notAfter)} ${utc(state.notAfter)}`,
    `hosts ${state.hostsEntry}`,
    ...state.clusterEnv.map((line) => `cluster.env ${line}`),
    ...state.sidecarEnv.map((line) => `sidecar.env ${line}`),
    ...state.files.map(({ path, mode, content }) => `file ${mode} ${path} ${content}`),
    `scripts ${state.scripts}`,
    ...(state.run === undefined ? [] : [`run ${state.run.toISOString()}`]),
  ].join("\n");
}
