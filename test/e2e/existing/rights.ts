/** A user who has no more rights in the cluster than README lists for an existing mesh. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { apply, kubectl } from "../mesh";

const USER = { name: "platform", namespace: "default" };
const MAKE = ["get", "list", "watch", "create", "patch", "delete"];
const WATCH = ["list", "watch"];
const ROUTES = ["gateways", "virtualservices", "destinationrules", "serviceentries", "workloadentries", "envoyfilters"];

const RULES: [group: string, resources: string[], verbs: string[]][] = [
  ["", ["namespaces", "services", "serviceaccounts"], MAKE],
  ["", ["serviceaccounts/token", "pods/exec"], ["create"]],
  ["", ["configmaps"], ["list"]],
  ["", ["endpoints", "pods", "persistentvolumeclaims"], WATCH],
  ["apps", ["deployments"], MAKE],
  ["apps", ["replicasets"], WATCH],
  ["admissionregistration.k8s.io", ["mutatingwebhookconfigurations"], ["list"]],
  ["networking.k8s.io", ["servicecidrs"], ["list"]],
  ["networking.istio.io", ROUTES, MAKE],
  ["security.istio.io", ["authorizationpolicies"], ["get", "list", "create", "patch", "delete"]],
];

/** Makes the user. @returns the path of a kubeconfig in a folder of the test's */
export async function limitedKubeconfig(folder: string): Promise<string> {
  const { name, namespace } = USER;
  const role = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name };
  const rbac = { apiVersion: "rbac.authorization.k8s.io/v1", metadata: { name } };
  const rules = RULES.map(([group, resources, verbs]) => ({ apiGroups: [group], resources, verbs }));
  await apply(
    { apiVersion: "v1", kind: "ServiceAccount", metadata: USER },
    { ...rbac, kind: "ClusterRole", rules },
    { ...rbac, kind: "ClusterRoleBinding", roleRef: role, subjects: [{ kind: "ServiceAccount", ...USER }] },
  );
  const token = (await kubectl("create", "token", name, `--namespace=${namespace}`, "--duration=3h")).trim();
  const view = await kubectl("config", "view", "--raw", "--minify", "--flatten", "--output=json");
  const config = JSON.parse(view) as { users: { user: object }[] };
  config.users[0]!.user = { token };
  const file = join(folder, "limited.kubeconfig");
  writeFileSync(file, JSON.stringify(config), { mode: 0o600 });
  return file;
}

export async function removeLimitedUser(): Promise<void> {
  const { name, namespace } = USER;
  await kubectl("delete", "clusterrole,clusterrolebinding", name, "--ignore-not-found");
  await kubectl("delete", "serviceaccount", name, `--namespace=${namespace}`, "--ignore-not-found");
}
