/** The secret cacerts of a control plane of the stack's own, as it is: nothing is changed. */
import { AUTHORITY_ANNOTATIONS, type FoundAuthorities, readNotes, type SharedPems } from "../mesh/authorityNotes";
import { OWNER_LABEL } from "../mesh/kubernetesObject";
import type { Kubectl } from "./kubectl";

export interface FoundCaCerts extends SharedPems {
  certChain: string;
  /** The mark of the stack that made it. */
  owner?: string;
  annotations: Record<string, string>;
}

const file = (name: string) => `{{index .data "${name}" | base64decode}}`;
const entry = (of: "labels" | "annotations", key: string) => `{{with .metadata.${of}}}{{index . "${key}"}}{{end}}`;
/** Only the certificates: the key does not even come to this process. */
const FIELDS = [
  ...["root-cert.pem", "ca-cert.pem", "cert-chain.pem"].map(file),
  `{{with index .data "ca-crl.pem"}}{{base64decode .}}{{end}}`,
  entry("labels", OWNER_LABEL),
  ...AUTHORITY_ANNOTATIONS.map((key) => entry("annotations", key)),
  "end", // The last line break of what a command prints is not its own.
];
const SEPARATOR = "\n--\n";

/** Its certificates, and what they are called; undefined if it is not there. @throws CommandError */
export async function readCaCerts(kubectl: Kubectl): Promise<FoundCaCerts | undefined> {
  const args = ["get", "secret", "cacerts", "--namespace=istio-system", "--ignore-not-found"];
  const template = FIELDS.join(SEPARATOR.replaceAll("\n", `{{"\\n"}}`));
  const text = await kubectl([...args, "--output", `go-template=${template}`]);
  if (text.trim() === "") return undefined;
  const [rootCert = "", caCert = "", certChain = "", lists = "", owner, ...values] = text
    .split(SEPARATOR)
    .map((value) => (value.trim() === "<no value>" ? "" : value));
  const annotations = AUTHORITY_ANNOTATIONS.map((key, n) => [key, (values[n] ?? "").trim()] as const);
  return {
    rootCert,
    caCert,
    certChain,
    lists: lists.trim() || undefined,
    owner: owner?.trim() || undefined,
    annotations: Object.fromEntries(annotations.filter(([, value]) => value !== "")),
  };
}

/** The authorities of a secret that the stack made. */
export async function readAuthorities(kubectl: Kubectl, made: boolean): Promise<FoundAuthorities | undefined> {
  const found = await readCaCerts(kubectl);
  if (found?.owner === undefined) return undefined;
  const { rootCert, caCert, lists } = found;
  return readNotes(found.annotations, { rootCert, caCert, lists }, made);
}
