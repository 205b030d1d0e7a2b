import { isInstalled } from "../../config";
import { type Cluster, istiodsOf, type Outputs, rootNamespacesOf } from "../../diagnosis/facts";
import type { KubernetesObject } from "../../mesh/kubernetesObject";
import { parseManifests } from "../../mesh/manifests";
import {
  accessReview,
  forbiddenBy,
  neededPermissions,
  type Permission,
  REVIEW_FORMAT,
} from "../../diagnosis/permissions";
import { generateManifest } from "../../tools/istioctl";
import type { Kubectl } from "../../tools/kubectl";
import { accountsToMake } from "../../tools/serviceAccounts";
import type { ConfiguredStack } from "../stack";

/** The documents that may have a node port: reading the whole, a megabyte of CRDs, takes longer than asking the cluster. */
const withNodePorts = (text: string) =>
  text
    .split(/^---$/m)
    .filter((document) => document.includes("nodePort"))
    .join("---\n");

/** What of it is not allowed. */
async function review(kubectl: Kubectl, permissions: Permission[]): Promise<string[]> {
  const list = { apiVersion: "v1", kind: "List", items: permissions.map(accessReview) };
  const args = ["create", "--filename=-", `--output=${REVIEW_FORMAT}`];
  return forbiddenBy(await kubectl(args, JSON.stringify(list)));
}

/** What the API server says to the Services' explicit node ports: a dry run under another name. */
async function refusedNodePorts(kubectl: Kubectl, objects: KubernetesObject[]): Promise<string[]> {
  const ports = objects.flatMap(({ kind, metadata, spec }) =>
    kind !== "Service"
      ? []
      : ((spec as { ports?: { nodePort?: number }[] }).ports ?? []).flatMap(({ nodePort }) =>
          nodePort === undefined ? [] : [{ service: metadata.name, nodePort }],
        ),
  );
  const refusals = ports.map(({ service, nodePort }) =>
    kubectl([
      ..."create service nodeport istio-vm-probe --namespace=default --tcp=1 --dry-run=server".split(" "),
      `--node-port=${nodePort}`,
    ]).then(
      () => [],
      ({ message }: Error) => [`${service}: ${/provided port.*/.exec(message)?.[0] ?? message}`],
    ),
  );
  return (await Promise.all(refusals)).flat();
}

/** Where the control planes are that are there already; else where they were. */
function namespacesOf(existing: Cluster["existing"], outputs: Outputs | undefined): string[] {
  if (existing !== undefined && "namespaces" in existing) return existing.namespaces;
  return [...new Set(istiodsOf(outputs).map(({ namespace }) => namespace))];
}

/** What this user may not do, and which node ports are refused: questions that share istioctl's manifest. */
export function askRights({ config, outputs }: ConfiguredStack, existing: Cluster["existing"], kubectl: Kubectl) {
  const manifest = (isInstalled(config) ? generateManifest(config) : Promise.resolve("")).then(
    (text) => ({ text, problem: undefined }),
    ({ message }: Error) => ({ text: "", problem: message }),
  );
  return {
    manifestProblem: async () => (await manifest).problem,
    forbidden: async () => {
      // Whoever may do everything need not be asked for each.
      const everything = await review(kubectl, [{ group: "*", resource: "*", verb: "*" }]);
      if (everything.length === 0) return [];
      // Who may not even read them is told so, and asked about all.
      const accounts = await accountsToMake(config.hosts, config.cluster, kubectl).catch(() => config.hosts);
      const circumstances = {
        // Without a manifest the program's own kinds are still asked about.
        manifest: parseManifests((await manifest).text),
        accounts: accounts.map(({ namespace }) => namespace),
        istiods: namespacesOf(existing, outputs),
        rootNamespaces:
          existing !== undefined && "rootNamespaces" in existing ? existing.rootNamespaces : rootNamespacesOf(outputs),
      };
      return review(kubectl, neededPermissions(config, circumstances));
    },
    refusedNodePorts: async () => refusedNodePorts(kubectl, parseManifests(withNodePorts((await manifest).text))),
  };
}
