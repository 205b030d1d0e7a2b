/**
 * A control plane that is there already, from the objects by which Istio's charts install it: what hosts must know of it,
 * and why they could not join it. Nothing here asks anybody.
 */
import { load } from "js-yaml";
import type { ExposedGateway } from "./exposure";
import {
  DEFAULT_CLUSTER_DOMAIN,
  DEFAULT_CLUSTER_NAME,
  DEFAULT_REVISION,
  DEFAULT_TRUST_DOMAIN,
  type ControlPlane,
  ISTIOD_PORT,
  TOKEN_AUDIENCE,
} from "./istiod";
import { at, isObject } from "./json";
import { selectorsIn } from "./labelSelector";
import type { KubernetesObject } from "./kubernetesObject";

/** Istio's minor version from which on there is networking.istio.io/v1. */
const OLDEST_MINOR = 22;

/** An existing control plane, with what a new one would be told. */
export interface ExistingControlPlane extends ControlPlane {
  /** Names by which namespaces and pods may mean it (`istioctl tag`). */
  tags: string[];
  /** The certificates that its workloads trust, in PEM. */
  rootCerts: string;
  /** The labels of istiod's pods, by which its Service finds them. */
  selector: Record<string, string>;
  /** The domain of the cluster's DNS, as Istio knows it. */
  clusterDomain: string;
}

/** A Deployment of istiod: one revision. */
export interface Installed {
  revision: string;
  namespace: string;
  tags: string[];
  deployment: KubernetesObject;
}

const labelsOf = ({ metadata }: KubernetesObject) => metadata.labels ?? {};

/** The revisions of a cluster, from its Deployments `app=istiod` and its injection webhooks with a revision. */
export function installedRevisions(deployments: KubernetesObject[], webhooks: KubernetesObject[]): Installed[] {
  return deployments.map((deployment) => {
    const revision = labelsOf(deployment)["istio.io/rev"] ?? DEFAULT_REVISION;
    const tags = webhooks
      .map(labelsOf)
      .filter((labels) => labels["istio.io/rev"] === revision)
      .flatMap((labels) => labels["istio.io/tag"] ?? [])
      .filter((tag) => tag !== revision);
    return { revision, namespace: deployment.metadata.namespace ?? "", tags: [...new Set(tags)].sort(), deployment };
  });
}

/**
 * The installed revision that is meant by its own name or by a tag. `default` is first of all a tag: it takes the place of
 * the istiod without a revision (istioctl/pkg/tag: DeactivateIstioInjectionWebhook). @throws saying which there are
 */
export function findRevision(installed: Installed[], wanted: string): Installed {
  const own = installed.filter(({ revision }) => revision === wanted);
  const tagged = installed.filter(({ tags }) => tags.includes(wanted));
  const order = wanted === DEFAULT_REVISION ? [tagged, own] : [own, tagged];
  const meant = order.find((found) => found.length > 0) ?? [];
  const [first, second] = meant;
  if (first === undefined) {
    const there = installed.map(
      ({ revision, namespace, tags }) =>
        `${revision} in ${namespace}${tags.length > 0 ? ` (${tags.map((tag) => `tag ${tag}`).join(", ")})` : ""}`,
    );
    throw new Error(
      there.length === 0
        ? "there is no istiod in the cluster (no Deployment with the label app=istiod): install Istio first, or let this stack do it (controlPlane.install)"
        : `there is no revision or tag "${wanted}" of Istio: there is ${there.join(", ")}`,
    );
  }
  if (second !== undefined) {
    throw new Error(
      `revision "${wanted}" of Istio is there more than once: ${meant.map(({ namespace }) => namespace).join(", ")}`,
    );
  }
  return first;
}

/**
 * Whether an istiod gives Envoys that have both families of addresses listeners at both, and services theirs: else IPv4
 * alone. As Go reads a truth.
 */
export const isDualStack = (deployment: KubernetesObject): boolean =>
  /^(1|t|true)$/i.test(environmentOf(deployment).variables.get("ISTIO_DUAL_STACK") ?? "");

/** The environment of istiod's container. */
function environmentOf(deployment: KubernetesObject): { image: string; variables: Map<string, string> } {
  const containers = at(deployment, "spec.template.spec.containers");
  const list = Array.isArray(containers) ? containers.filter(isObject) : [];
  const istiod = list.find(({ name }) => name === "discovery") ?? list[0] ?? {};
  const env = Array.isArray(istiod.env) ? istiod.env.filter(isObject) : [];
  return {
    image: String((istiod.image as string | undefined) ?? ""),
    variables: new Map(env.flatMap(({ name, value }) => (typeof value === "string" ? [[String(name), value]] : []))),
  };
}

/**
 * The version of Istio: of the image's tag, without the kind of image; of one that is named by a digest or otherwise, what
 * a label says.
 */
function versionOf(image: string, labels: Record<string, string>): string {
  const tag = /^[^@]*:([^:/@]+)(@.*)?$/.exec(image)?.[1]?.replace(/-(distroless|debug)$/, "");
  const isVersion = (text?: string) => text !== undefined && /^\d+\.\d+/.test(text);
  return [tag, labels["app.kubernetes.io/version"]].find(isVersion) ?? "unknown";
}

const named = (objects: KubernetesObject[], kind: string, name: string) =>
  objects.find(({ kind: k, metadata }) => k === kind && metadata.name === name);

const dataOf = (objects: KubernetesObject[], name: string, key: string) =>
  (named(objects, "ConfigMap", name)?.data as Record<string, string> | undefined)?.[key];

const text = (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined);

/**
 * What hosts must know of a revision.
 *
 * @param objects of istiod's namespace: itself, and the ConfigMaps and Services in it
 * @throws why no host could join it
 */
export function existingControlPlane(
  { revision, namespace, tags, deployment }: Installed,
  objects: KubernetesObject[],
): ExistingControlPlane {
  // Of everything that belongs to it; a revision may also have been called `default` by its name.
  const suffix = deployment.metadata.name === `istiod-${revision}` ? `-${revision}` : "";
  const { image, variables } = environmentOf(deployment);
  const meshConfig = load(dataOf(objects, `istio${suffix}`, "mesh") ?? "{}");
  const values = load(dataOf(objects, `istio-sidecar-injector${suffix}`, "values") ?? "{}");
  const refuse = (why: string): never => {
    throw new Error(`hosts can't join revision "${revision}" of Istio in ${namespace}: ${why}`);
  };

  const issuer = text(at(meshConfig, "ca.address")) ?? text(at(values, "global.caAddress"));
  // istiod itself may be named as well.
  const authority = issuer?.match(/^istiod[^.]*\./) ? undefined : issuer;
  const external = variables.get("EXTERNAL_CA");
  const elsewhere =
    authority ??
    (variables.get("ENABLE_CA_SERVER") === "false" ? "ENABLE_CA_SERVER is false" : undefined) ??
    (external ? `EXTERNAL_CA is ${external}` : undefined);
  if (elsewhere !== undefined) {
    refuse(
      `its certificates come from another CA than istiod (${elsewhere}), such as istio-csr: ` +
        "that wants a token at every renewal, which a host has but once",
    );
  }
  const provider = variables.get("PILOT_CERT_PROVIDER") ?? "istiod";
  if (provider !== "istiod") {
    refuse(
      `istiod's own certificate is not of the mesh's CA (PILOT_CERT_PROVIDER is ${provider}), which is all that hosts trust`,
    );
  }
  const version = versionOf(image, labelsOf(deployment));
  const minor = Number(/^1\.(\d+)/.exec(version)?.[1]);
  if (minor < OLDEST_MINOR) {
    refuse(
      `it is of version ${version}: from 1.${OLDEST_MINOR} on Istio has networking.istio.io/v1, as this program makes it`,
    );
  }
  const own = named(objects, "Service", `istiod${suffix}`);
  if (own === undefined || !ports(own).some(({ port }) => port === ISTIOD_PORT)) {
    return refuse(`there is no Service istiod${suffix} with port ${ISTIOD_PORT}, the name by which it proves itself`);
  }
  const ofRoot = text(variables.get("PILOT_CA_CERT_CONFIGMAP")) ?? "istio-ca-root-cert";
  const rootCerts = text(dataOf(objects, ofRoot, "root-cert.pem"));
  if (rootCerts === undefined) {
    return refuse(`there is no ConfigMap ${ofRoot} in ${namespace}, with the certificates that hosts must trust`);
  }
  const label = labelsOf(named(objects, "Namespace", namespace) ?? deployment)["topology.istio.io/network"];
  return {
    revision,
    tags,
    version,
    service: own.metadata.name,
    namespace,
    trustDomain: text(at(meshConfig, "trustDomain")) ?? DEFAULT_TRUST_DOMAIN,
    clusterName: variables.get("CLUSTER_ID") ?? DEFAULT_CLUSTER_NAME,
    network: label ?? text(at(values, "global.network")),
    clusterDomain: text(at(values, "global.proxy.clusterDomain")) ?? DEFAULT_CLUSTER_DOMAIN,
    discoverySelectors: selectorsIn(meshConfig),
    rootNamespace: text(at(meshConfig, "rootNamespace")) ?? namespace,
    dualStack: isDualStack(deployment),
    audience: variables.get("TOKEN_AUDIENCES")?.split(",")[0] ?? TOKEN_AUDIENCE,
    rootCerts,
    selector: at(own, "spec.selector") as Record<string, string>,
  };
}

interface ServicePort {
  name?: string;
  port: number;
  protocol?: string;
  targetPort?: number | string;
  nodePort?: number;
}

const ports = (service: KubernetesObject) => (at(service, "spec.ports") as ServicePort[] | undefined) ?? [];

/** An ingress gateway that is there already, by its Service. @throws why hosts can't reach istiod through it */
export function existingGateway(service: KubernetesObject): ExposedGateway {
  const { name, namespace = "" } = service.metadata;
  const type = at(service, "spec.type");
  const selector = at(service, "spec.selector");
  if (type !== "LoadBalancer") {
    throw new Error(
      `the Service ${name} in ${namespace} is of type ${String(type)}, and is not changed to a load balancer: choose exposure EastWestGateway, or NodePort`,
    );
  }
  if (!isObject(selector) || Object.keys(selector).length === 0) {
    throw new Error(`the Service ${name} in ${namespace} selects no pods: it is no gateway`);
  }
  const present = ports(service).find(({ port }) => port === ISTIOD_PORT);
  return {
    service: name,
    namespace,
    selector: selector as Record<string, string>,
    portName: present?.name ?? "tls-istiod",
    carriesIstiod: present !== undefined,
  };
}

/** What the configuration says of a control plane and the cluster contradicts, a line each. */
export function contradictions(
  found: ExistingControlPlane,
  { trustDomain, name, domain }: { trustDomain?: string; name?: string; domain: string },
): string[] {
  const place = `revision "${found.revision}" of Istio in ${found.namespace}`;
  const compared: [field: string, said: string | undefined, is: string][] = [
    ["cluster.trustDomain", trustDomain, found.trustDomain],
    ["cluster.name", name, found.clusterName],
    ["cluster.domain", domain, found.clusterDomain],
  ];
  return compared
    .filter(([, said, is]) => said !== undefined && said !== is)
    .map(([field, said, is]) => `${field}: "${said}" is not that of ${place}, "${is}"`);
}
