import { load } from "js-yaml";
import { INGRESS_GATEWAY, ingressPorts } from "./exposure";
import { ISTIOD_PORT } from "./istiod";
import type { IstioOperatorFacts } from "./istioOperator";
import { at } from "./json";
import type { KubernetesObject } from "./kubernetesObject";

interface ServicePort {
  name?: string;
  port: number;
  protocol?: string;
}

/** An object of istio-system. */
function find(objects: KubernetesObject[], kind: string, name: string): KubernetesObject | undefined {
  return objects.find(
    ({ kind: k, metadata: m }) => k === kind && m.name === name && (m.namespace ?? "istio-system") === "istio-system",
  );
}

/** Whether a manifest brings the ingress gateway: an IstioOperator may switch it off. */
export function hasGateway(objects: KubernetesObject[]): boolean {
  return find(objects, "Service", INGRESS_GATEWAY.service) !== undefined;
}

const portsOf = (service: KubernetesObject) => (at(service, "spec.ports") as ServicePort[] | undefined) ?? [];

/** A port that stands twice is refused by the API server, when half of the rest is there. */
function doubledPorts(service: KubernetesObject): string[] {
  const twice = (values: string[]) => [...new Set(values.filter((value, n) => values.indexOf(value) !== n))];
  const ports = portsOf(service);
  const place = `the Service ${service.metadata.name}`;
  return [
    ...twice(ports.map(({ port, protocol = "TCP" }) => `${port}/${protocol}`)).map(
      (port) => `${place} would have port ${port} twice`,
    ),
    ...twice(ports.map(({ name = "" }) => name)).map((name) => `${place} would have two ports of the name "${name}"`),
  ];
}

/** What a ConfigMap holds as text, JSON or YAML. */
function held(objects: KubernetesObject[], name: string, key: string): unknown {
  const data = find(objects, "ConfigMap", name)?.data as Record<string, string> | undefined;
  return data?.[key] === undefined ? undefined : load(data[key]);
}

/**
 * Why hosts could not join what a manifest installs, whatever in the IstioOperator made it so: a profile, an overlay, or
 * values that nobody checks.
 */
export function manifestProblems(objects: KubernetesObject[], facts: IstioOperatorFacts): string[] {
  const istiod = find(objects, "Service", "istiod");
  if (istiod === undefined) {
    const others = objects.filter(({ kind, metadata }) => kind === "Deployment" && metadata.name.startsWith("istiod"));
    const found = others.map(({ metadata }) => `${metadata.name} in ${metadata.namespace ?? "no namespace"}`);
    return [
      `there is no istiod in istio-system, but ${found.join(", ") || "none at all"}: remove what names a revision, another namespace, or a profile without istiod`,
    ];
  }
  const problems: string[] = [];
  if (portsOf(istiod).length > 0 && !portsOf(istiod).some(({ port }) => port === ISTIOD_PORT)) {
    problems.push(`the Service istiod has no port ${ISTIOD_PORT}, at which hosts reach it`);
  }
  const elsewhere = new Set(
    objects.flatMap(({ metadata: { namespace = "istio-system" } }) =>
      ["istio-system", "kube-system"].includes(namespace) ? [] : [namespace],
    ),
  );
  if (elsewhere.size > 0)
    problems.push(`it would install into ${[...elsewhere].join(", ")} as well: only istio-system is there`);
  const passed = ingressPorts(facts.exposure);
  const gateway = find(objects, "Service", INGRESS_GATEWAY.service);
  if (passed.length > 0 && gateway === undefined) {
    problems.push(
      `there is no ${INGRESS_GATEWAY.service}, through which hosts reach istiod with exposure LoadBalancer: enable it, or choose NodePort`,
    );
  }
  for (const { gateway: port } of gateway === undefined ? [] : passed) {
    if (!portsOf(gateway!).some((other) => other.port === port)) {
      problems.push(`the Service ${INGRESS_GATEWAY.service} has no port ${port}, by which hosts reach istiod`);
    }
  }
  for (const [what, actual, expected, field] of [
    ["trust domain", at(held(objects, "istio", "mesh"), "trustDomain"), facts.trustDomain, "cluster.trustDomain"],
    [
      "cluster",
      at(held(objects, "istio-sidecar-injector", "values"), "global.multiCluster.clusterName"),
      facts.clusterName,
      "cluster.name",
    ],
  ] as const) {
    if (actual !== undefined && actual !== expected) {
      problems.push(`its ${what} would be ${JSON.stringify(actual)}, but ${field} is "${expected}"`);
    }
  }
  return [...problems, ...objects.filter(({ kind }) => kind === "Service").flatMap(doubledPorts)];
}
