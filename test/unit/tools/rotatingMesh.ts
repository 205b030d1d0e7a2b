/** A mesh whose CA is being replaced, as kubectl shows it: the secret cacerts, pods with proxies, and what istiods know. */
import assert from "node:assert/strict";
import { type AuthorityNotes, authorityAnnotations } from "../../../mesh/authorityNotes";
import { readCaCerts } from "../../../tools/caCerts";
import { CommandError } from "../../../tools/command";
import type { Kubectl } from "../../../tools/kubectl";

/** A pod of the namespace `default`, if it is not said otherwise. */
export interface FakePod {
  name: string;
  namespace?: string;
  /** Where its proxy is. Default: a container that runs. */
  proxy?: "container" | "initContainer" | "ended" | "none";
  terminating?: boolean;
  /** What its Envoy believes and has, in PEM. */
  roots?: string;
  certChain?: string;
  /** The revocation lists that its Envoy has. Default: it takes none. */
  lists?: string;
  /** What kubectl says in place of an answer. */
  fails?: string;
}

/** The secret cacerts: its certificates, the mark of its owner and the notes on it. */
export interface CaCerts {
  rootCert: string;
  caCert: string;
  /** Default: caCert. */
  certChain?: string;
  /** Default: it has none. */
  lists?: string;
  owner?: string;
  notes?: AuthorityNotes;
}

export interface FakeMesh {
  /** Default: it is not there. */
  cacerts?: CaCerts;
  pods?: FakePod[];
  /** What each istiod knows, by the name of its pod. Default: one that knows nobody. */
  istiods?: Record<string, string[]>;
}

const base64 = (text = "") => Buffer.from(text).toString("base64");

/** What a go-template prints of the secret, as far as it is of those that are asked for here. */
function printed(
  template: string,
  { rootCert, caCert, certChain = caCert, lists = "", owner, notes }: CaCerts,
): string {
  const files: Record<string, string> = {
    "root-cert.pem": rootCert,
    "ca-cert.pem": caCert,
    "cert-chain.pem": certChain,
    "ca-key.pem": "THE KEY",
  };
  const metadata: Record<string, Record<string, string> | undefined> = {
    labels: owner === undefined ? undefined : { "pulumi-istio-vm/owner": owner },
    annotations: notes && authorityAnnotations(notes),
  };
  const text = template
    .replace(/\{\{with \.metadata\.(\w+)\}\}\{\{index \. "([^"]+)"\}\}\{\{end\}\}/g, (_, of: string, key: string) =>
      metadata[of] === undefined ? "" : (metadata[of][key] ?? "<no value>"),
    )
    .replace('{{with index .data "ca-crl.pem"}}{{base64decode .}}{{end}}', lists)
    .replace(/\{\{index \.data "([^"]+)" \| base64decode\}\}/g, (_, file: string) => files[file]!)
    .replaceAll(`{{"\\n"}}`, "\n");
  assert.doesNotMatch(text, /\{\{/);
  return text.replace(/\n$/, ""); // as tools/command.ts has it
}

/** The secret, as kubectl prints it for readCaCerts. */
export async function caCertsText(cacerts: CaCerts): Promise<string> {
  let text = "";
  await readCaCerts((args) => {
    text = printed(templateIn(args), cacerts);
    return Promise.resolve("");
  });
  return text;
}
const templateIn = (args: string[]) => args.find((arg) => arg.startsWith("go-template="))!.slice("go-template=".length);

/** What Envoy's admin interface says of its secrets. */
export const secretsOf = (roots?: string, certChain?: string, lists?: string) => ({
  configs: [
    { name: "default", secret: { tls_certificate: { certificate_chain: { inline_bytes: base64(certChain) } } } },
    {
      name: "ROOTCA",
      secret: {
        validation_context: {
          trusted_ca: { inline_bytes: base64(roots) },
          ...(lists === undefined ? {} : { crl: { inline_bytes: base64(lists) } }),
        },
      },
    },
  ],
});

function podObject({ name, namespace = "default", proxy = "container", terminating = false }: FakePod) {
  const running = [{ name: "app", state: { running: {} } }];
  const sidecar = { name: "istio-proxy", state: proxy === "ended" ? { terminated: {} } : { running: {} } };
  const isInit = proxy === "initContainer";
  return {
    metadata: { name, namespace, ...(terminating ? { deletionTimestamp: "2026-01-01T00:00:00Z" } : {}) },
    status: {
      phase: "Running",
      containerStatuses: proxy === "none" || isInit ? running : [...running, sidecar],
      ...(isInit ? { initContainerStatuses: [sidecar] } : {}),
    },
  };
}

/** @param asked gets what kubectl was asked */
export function rotatingMesh(mesh: FakeMesh, asked: string[] = []): Kubectl {
  const { cacerts, pods = [], istiods = { istiod: [] } } = mesh;
  const answer = (args: string[]): unknown => {
    const line = args.join(" ");
    asked.push(line);
    if (line.startsWith("get secret cacerts --namespace=istio-system"))
      return cacerts ? printed(templateIn(args), cacerts) : "";
    if (line.startsWith("get pods --namespace=istio-system --selector=app=istiod"))
      return {
        items: Object.keys(istiods).map((name) => podObject({ name, namespace: "istio-system", proxy: "none" })),
      };
    if (line.startsWith("get pods --all-namespaces")) return { items: pods.map(podObject) };
    const [, namespace, name, container] = /^exec --namespace=(\S+) (\S+) --container=(\S+) -- /.exec(line) ?? [];
    if (container === "discovery") {
      assert.match(line, /GET \/debug\/syncz$/);
      return istiods[name!]!.map((proxy) => ({ proxy }));
    }
    const pod = pods.find((each) => each.name === name && (each.namespace ?? "default") === namespace);
    assert.ok(pod && container === "istio-proxy", `unexpected: ${line}`);
    if (pod.fails !== undefined) throw new CommandError("kubectl", args, pod.fails, false);
    return secretsOf(pod.roots, pod.certChain, pod.lists);
  };
  return (args) =>
    Promise.resolve(args)
      .then(answer)
      .then((found) => (typeof found === "string" ? found : JSON.stringify(found)));
}
