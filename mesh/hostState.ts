import { inspectCertificate } from "./certificates";
import { digest } from "./digest";
import { DNS_UNIT, DNS_UNIT_LINES } from "./dns";
import {
  type ClusterEnvironment,
  clusterEnv,
  hostsEntries,
  type IstiodEndpoint,
  type SidecarEnvironment,
  LISTS_AT_BOOT,
  LISTS_FILE,
  LISTS_AT_BOOT_LINES,
  SENT_IDENTITY,
  sidecarEnv,
} from "./environment";

/**
 * The keys of a state, in their order. `once`: the scripts read one line (`fact KEY`), else all (`facts KEY`); `reader`:
 * they name the key, or leave it to people and to Pulumi, which runs join again when a line has changed.
 */
export const STATE_KEYS = {
  host: { once: true, reader: "scripts", meaning: "the name of the host in this stack" },
  owner: { once: true, reader: "scripts", meaning: "the stack's owner mark" },
  identity: { once: true, reader: "scripts", meaning: "the host's SPIFFE ID" },
  package: { once: false, reader: "scripts", meaning: "format, architecture, SHA-256 and source of a sidecar package" },
  istiod: {
    once: true,
    reader: "scripts",
    meaning: "port and name of istiod, and its addresses as the host sees them",
  },
  "not-before": { once: true, reader: "scripts", meaning: "when its certificate begins, as an epoch and for people" },
  "not-after": { once: true, reader: "scripts", meaning: "when it ends" },
  hosts: { once: false, reader: "scripts", meaning: "a line of /etc/hosts" },
  "cluster.env": { once: false, reader: "scripts", meaning: "a variable: the mesh" },
  "sidecar.env": { once: false, reader: "scripts", meaning: "a variable: the host" },
  tmpfiles: { once: false, reader: "people", meaning: "a line of /etc/tmpfiles.d/istio-vm.conf" },
  dns: {
    once: false,
    reader: "people",
    meaning: "a line of istio-vm-dns.service, which leads look-ups to the sidecar",
  },
  mesh: { once: false, reader: "people", meaning: "a line of /etc/istio/config/mesh: so far there is none" },
  file: { once: false, reader: "scripts", meaning: "mode, path and source of a file, and `restart` (host/files.sh)" },
  renewed: { once: true, reader: "people", meaning: "the end of which identity a new token was asked for" },
  scripts: { once: true, reader: "people", meaning: "digest of the scripts: a new version of them runs on every host" },
  adopt: {
    once: true,
    reader: "scripts",
    meaning: "`yes`: a sidecar that was joined by hand is taken over (host/adopt.sh)",
  },
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
   * its own name, and this tells which one it is: a digest (of roots, which the agent may have replaced by others; or of
   * revocation lists), or for a private key the certificate that it belongs to. Or
   * the agent makes it for this identity, by a token or by the certificate that was sent.
   */
  source:
    | `${"lines" | "block"}:${StateKey}`
    | `${"sha256" | "roots" | "lists" | "of-certificate" | "token" | "certificate"}:${string}`;
  /** Whether the sidecar must start anew to see a change. */
  restart?: boolean;
}

/** What a host shall be, in plain values. */
export interface HostSpec {
  /** The name of the host in this stack. */
  name: string;
  /** The stack's owner mark. */
  owner: string;
  /** The host's SPIFFE ID. */
  identity: string;
  rootCert: string;
  /** The mesh's revocation lists, if it has any. */
  revocationLists?: string;
  /** The workload's certificate and its issuers; undefined for a host that proves who it is by a token. */
  certChain?: string;
  /** When the identity ended after which a new token was asked for; empty if none was. */
  renewed?: string;
  /** The sidecar packages, of which the host takes the one that fits. */
  packages: HostPackage[];
  /** istiod as the host sees it. */
  istiod: IstiodEndpoint;
  mesh: Pick<ClusterEnvironment, "serviceCidr" | "trustDomain" | "clusterName" | "network" | "dualStack">;
  workload: Pick<ClusterEnvironment, "namespace" | "serviceAccount" | "capture" | "inboundPorts">;
  sshPort: number;
  sidecar: SidecarEnvironment;
  /** The scripts themselves: a new version of them runs again on every host. */
  scripts: Record<string, string>;
  /** Whether names of the mesh are known on the host. Default: false. */
  dns?: boolean;
  /** Whether a sidecar that was joined by hand is taken over. */
  adopt?: boolean;
  /** When it was asked for, if it shall be put right even though nothing changed. */
  run?: Date;
}

/** A sidecar package as the scripts know it. */
export interface HostPackage {
  format: "deb" | "rpm";
  architecture: "amd64" | "arm64";
  sha256: string;
  /** Where a host gets it: an http(s) URL, SECRET_URL, or `sent` by the program. */
  source: string;
}

/** Where a package is, if that is a secret: in a file of the bundle (host/package.sh). */
export const SECRET_URL = "secret-url";
type ForHosts = Pick<HostPackage, "format" | "architecture">;
export const secretUrlFile = ({ format, architecture }: ForHosts) => `package-url.${format}.${architecture}`;

export const packageLine = ({ format, architecture, sha256, source }: HostPackage) =>
  `${format} ${architecture} ${sha256} ${source}`;

/** What a token is called in what is brought to a host (host/identity.sh). */
export const TOKEN_FILE = "istio-token";

/** Facts as text, in the order of the keys. */
export function stateText(facts: Partial<Record<StateKey, string[]>>): string {
  const keys = Object.keys(STATE_KEYS) as StateKey[];
  return keys.flatMap((key) => (facts[key] ?? []).map((fact) => `${key} ${fact}`)).join("\n");
}

/** Of a file, which ends with a line break on a host (ssh/bundle.ts). */
const fileDigest = (text: string) => digest(text.replace(/\n?$/, "\n"));

/** What join puts on a host, as lines of its state. */
export function fileLines({
  identity,
  rootCert,
  revocationLists,
  certChain,
  dns,
  adopt,
}: Pick<HostSpec, "identity" | "rootCert" | "revocationLists" | "certChain" | "dns" | "adopt">): string[] {
  const made = `${certChain === undefined ? "token" : "certificate"}:${identity}` as const;
  const files: HostFile[] = [
    { path: "/var/lib/istio/envoy/cluster.env", mode: "0644", source: "lines:cluster.env", restart: true },
    { path: "/var/lib/istio/envoy/sidecar.env", mode: "0644", source: "lines:sidecar.env", restart: true },
    { path: "/etc/hosts", mode: "-", source: "block:hosts", restart: true },
    { path: "/etc/certs/root-cert.pem", mode: "0644", source: `roots:${digest(rootCert)}` },
    { path: "/etc/certs/cert-chain.pem", mode: "0644", source: made },
    { path: "/etc/certs/key.pem", mode: "0600", source: made },
  ];
  if (certChain !== undefined) {
    files.push(
      { path: `${SENT_IDENTITY}/cert-chain.pem`, mode: "0644", source: `sha256:${fileDigest(certChain)}` },
      { path: `${SENT_IDENTITY}/key.pem`, mode: "0600", source: `of-certificate:${fileDigest(certChain)}` },
    );
  }
  if (revocationLists !== undefined) {
    files.push(
      { path: LISTS_FILE, mode: "0644", source: `lists:${fileDigest(revocationLists)}` },
      { path: LISTS_AT_BOOT, mode: "0644", source: "lines:tmpfiles" },
    );
  }
  if (dns) files.push({ path: DNS_UNIT, mode: "0644", source: "lines:dns" });
  // Istio's guide puts a mesh.yaml there, of which whatever the environment does not name would go on to count.
  if (adopt) files.push({ path: "/etc/istio/config/mesh", mode: "0644", source: "lines:mesh", restart: true });
  return files.map(({ path, mode, source, restart }) => `${mode} ${path} ${source}${restart ? " restart" : ""}`);
}

export const istiodFact = ({ port, name, addresses }: IstiodEndpoint) => [port, name, ...addresses].join(" ");

/**
 * The state that a host shall have, as the scripts read it: text, one fact a line, nothing secret. `pulumi preview --diff`
 * shows it line by line.
 */
export function hostState(spec: HostSpec): string {
  const { name, istiod, mesh, workload, sshPort } = spec;
  const byCertificate = spec.certChain !== undefined;
  const times = byCertificate ? inspectCertificate(spec.certChain!) : undefined;
  const time = (date: Date) => `${Math.floor(date.getTime() / 1000)} ${date.toISOString().replace(".000", "")}`;
  return stateText({
    host: [name],
    owner: [spec.owner],
    identity: [spec.identity],
    package: spec.packages.map(packageLine),
    istiod: [istiodFact(istiod)],
    "not-before": times === undefined ? [] : [time(times.notBefore)],
    "not-after": times === undefined ? [] : [time(times.notAfter)],
    hosts: hostsEntries(istiod),
    "cluster.env": clusterEnv({ ...mesh, ...workload, istiod, proxyName: name, sshPort, byCertificate, dns: spec.dns }),
    "sidecar.env": sidecarEnv(spec.sidecar),
    tmpfiles: spec.revocationLists === undefined ? [] : LISTS_AT_BOOT_LINES,
    dns: spec.dns ? DNS_UNIT_LINES : [],
    file: fileLines(spec),
    renewed: spec.renewed ? [`after the end of ${spec.renewed}`] : [],
    scripts: [`sha256:${digest(JSON.stringify(spec.scripts))}`],
    adopt: spec.adopt ? ["yes"] : [],
    run: spec.run === undefined ? [] : [spec.run.toISOString()],
  });
}
