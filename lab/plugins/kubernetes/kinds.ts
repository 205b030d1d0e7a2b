/** What is known about kinds without asking a cluster: type tokens, scopes, and fields that force a replacement. */
import { NotImplemented } from "../errors";
import type { Obj } from "../values";
import type { KubeObject } from "./objects";

export interface GroupVersionKind {
  /** As in a manifest: `v1`, `apps/v1`. */
  apiVersion: string;
  kind: string;
}

/** Modules of the SDK that hold components and charts, not Kubernetes objects. */
const NOT_OBJECTS = ["helm.sh", "kustomize", "yaml"];

/**
 * The group, version and kind in a type token such as `kubernetes:core/v1:ServicePatch`; the kind keeps its `Patch`.
 * Throws for tokens that are no Kubernetes object.
 */
export function parseType(type: string): GroupVersionKind {
  const [, module = "", kind = ""] = type.split(":");
  const [group = "", version] = module.split("/");
  if (NOT_OBJECTS.includes(group)) {
    throw new NotImplemented(
      `the lab's stand-in for the Pulumi kubernetes provider does not implement ${type}: ` +
        "make one resource for each object instead",
    );
  }
  if (version === undefined) {
    throw new Error(
      `apiVersion does not have both a group and a version: "${module}". ` +
        "Kinds of the core group need their typed class, for example core.v1.Service",
    );
  }
  return { apiVersion: group === "core" ? version : module, kind };
}

/** True for patches (`ServicePatch`), and not for custom resources whose kind happens to end in Patch. */
export const isPatch = (type: string, kind: unknown): boolean => parseType(type).kind === `${String(kind)}Patch`;

const groupOf = (apiVersion: string): string => (apiVersion.includes("/") ? (apiVersion.split("/")[0] ?? "") : "");

const BUILT_IN_GROUPS = new Set([
  "",
  "admissionregistration.k8s.io",
  "apiextensions.k8s.io",
  "apiregistration.k8s.io",
  "apps",
  "autoscaling",
  "batch",
  "certificates.k8s.io",
  "coordination.k8s.io",
  "discovery.k8s.io",
  "events.k8s.io",
  "extensions",
  "flowcontrol.apiserver.k8s.io",
  "networking.k8s.io",
  "node.k8s.io",
  "policy",
  "rbac.authorization.k8s.io",
  "resource.k8s.io",
  "scheduling.k8s.io",
  "storage.k8s.io",
]);

/** True for Kubernetes' own API groups, false for those of custom resource definitions. */
export const isBuiltIn = (apiVersion: string): boolean => BUILT_IN_GROUPS.has(groupOf(apiVersion));

/** `PodList` and the like: they are in the SDK, but no object of that kind can be created. */
export const isList = ({ apiVersion, kind }: GroupVersionKind): boolean =>
  isBuiltIn(apiVersion) && kind.endsWith("List");

export const isKind = (object: Obj, apiVersion: string, kind: string): boolean =>
  object["apiVersion"] === apiVersion && object["kind"] === kind;

export const isSecretKind = (object: Obj): boolean => isKind(object, "v1", "Secret");
export const isCrd = (object: Obj): boolean => isKind(object, "apiextensions.k8s.io/v1", "CustomResourceDefinition");

const CLUSTER_SCOPED = new Set([
  "APIService",
  "CSIDriver",
  "ClusterRole",
  "ClusterRoleBinding",
  "CustomResourceDefinition",
  "IngressClass",
  "MutatingWebhookConfiguration",
  "Namespace",
  "Node",
  "PersistentVolume",
  "PriorityClass",
  "RuntimeClass",
  "ServiceCIDR",
  "StorageClass",
  "ValidatingAdmissionPolicy",
  "ValidatingAdmissionPolicyBinding",
  "ValidatingWebhookConfiguration",
  "VolumeAttachment",
]);

/** Whether objects of the kind live in namespaces, for when no cluster can say. Unknown kinds count as namespaced. */
export const isNamespacedByName = ({ apiVersion, kind }: GroupVersionKind): boolean =>
  !(isBuiltIn(apiVersion) && CLUSTER_SCOPED.has(kind));

const within = (prefix: string, names: string): string[] => names.split(" ").map((name) => `${prefix}.${name}`);

const CONTAINER_FIELDS =
  "args command env image imagePullPolicy lifecycle livenessProbe ports readinessProbe resources securityContext " +
  "stdin stdinOnce terminationMessagePath terminationMessagePolicy tty volumeDevices volumeMounts workingDir";

const SELECTOR = ["spec.selector"];
const JOB = within("spec", "completions parallelism selector template");

/** Fields that the real provider takes for immutable: a change replaces the object. */
const REPLACES: Record<string, string[]> = {
  "apps/v1/DaemonSet": SELECTOR,
  "apps/v1/Deployment": SELECTOR,
  "apps/v1/StatefulSet": within(
    "spec",
    "podManagementPolicy revisionHistoryLimit selector serviceName volumeClaimTemplates",
  ),
  "batch/v1/Job": JOB,
  "rbac.authorization.k8s.io/v1/ClusterRoleBinding": ["roleRef"],
  "rbac.authorization.k8s.io/v1/RoleBinding": ["roleRef"],
  "storage.k8s.io/v1/StorageClass": ["parameters", "provisioner"],
  "v1/PersistentVolume": within(
    "spec",
    "awsElasticBlockStore azureDisk azureFile cephfs cinder csi fc flexVolume flocker gcePersistentDisk glusterfs " +
      "hostPath iscsi local nfs photonPersistentDisk portworxVolume quobyte rbd scaleIO storageos vsphereVolume",
  ),
  "v1/PersistentVolumeClaim": within("spec", "accessModes selector storageClassName volumeName"),
  "v1/Pod": [
    ...within(
      "spec",
      "affinity automountServiceAccountToken dnsConfig dnsPolicy enableServiceLinks hostAliases hostIPC hostNetwork " +
        "hostPID hostname imagePullSecrets nodeName nodeSelector overhead preemptionPolicy priority " +
        "priorityClassName readinessGates restartPolicy runtimeClassName schedulerName securityContext " +
        "serviceAccount serviceAccountName shareProcessNamespace subdomain terminationGracePeriodSeconds volumes",
    ),
    ...within("spec.containers[*]", CONTAINER_FIELDS),
    ...within("spec.initContainers[*]", CONTAINER_FIELDS),
  ],
  "v1/ResourceQuota": ["spec.scopes"],
  "v1/Secret": ["type"],
  "v1/Service": ["spec.clusterIP"],
};

/** Whether changed ConfigMaps and Secrets are updated in place (the provider's options of the same names). */
export interface Mutability {
  enableConfigMapMutable: boolean;
  enableSecretMutable: boolean;
}

/** The property paths of an object whose change means replacement; `[*]` stands for any index. */
export function replacePaths(object: KubeObject, options: Mutability): string[] {
  const paths = ["metadata.name", "metadata.namespace"];
  const frozen = object["immutable"] === true;
  if (isSecretKind(object) && (!options.enableSecretMutable || frozen)) {
    return [...paths, "type", "stringData", "data"];
  }
  if (isKind(object, "v1", "ConfigMap") && (!options.enableConfigMapMutable || frozen)) {
    return [...paths, "binaryData", "data"];
  }
  return [...paths, ...(REPLACES[`${object.apiVersion}/${object.kind}`] ?? [])];
}
