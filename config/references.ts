/** What no schema of a single field can see: what must agree with something elsewhere in the configuration. */
import { isIP } from "node:net";
import { canonicalAddress, isWithin } from "../mesh/addresses";
import { CAPTURING_VARIABLES, neverTaken, takes } from "../mesh/capture";
import { DNS_VARIABLES } from "../mesh/dns";
import { GATEWAY_VARIABLES } from "../mesh/networkGateway";
import { PROBE_VARIABLES } from "../mesh/readinessProbe";
import { DEFAULT_REVISION } from "../mesh/istiod";
import { LISTS_SINCE } from "../mesh/revocation";
import { isAtLeast } from "../mesh/version";
import { sshPlaces } from "./files";
import { show } from "./problems";
import { allPackages } from "./sidecar";
import type { Config, HostConfig, ServiceConfig, SshServer } from "./resolve";
import { keys, type Stack } from "./schema";

function* duplicates<T>(items: T[], value: (item: T) => string | undefined): Generator<[number, number, string]> {
  const seen = new Map<string, number>();
  for (const [index, item] of items.entries()) {
    const own = value(item);
    if (own === undefined) continue;
    const first = seen.get(own);
    if (first === undefined) seen.set(own, index);
    else yield [index, first, own];
  }
}

/** Where one logs in, if that tells a machine: another user or host key may belong to another behind the same address. */
function loginOf({ ssh: { bastion, ...server }, gone }: HostConfig): string | undefined {
  if (gone) return undefined;
  const name = ({ user, host, port, hostKey }: SshServer) => {
    const key = hostKey?.split(" ").slice(0, 2).join(" ");
    return [user, canonicalAddress(host).toLowerCase().replace(/\.$/, ""), port, key].join(" ");
  };
  return [server, ...(bastion === undefined ? [] : [bastion])].map(name).join(" through ");
}

/** Variables that a host's environment may not have beside a setting by which the program sets them. */
const seenTo = (setting: string, variables: readonly string[], environment: HostConfig["environment"], index: number) =>
  variables
    .filter((name) => name in environment)
    .map((name) => `hosts[${index}].environment.${name}: not beside ${setting}, which sees to it`);

function hostProblems({ hosts }: Config): string[] {
  const problems: string[] = [];
  for (const [index, first, name] of duplicates(hosts, (host) => host.name)) {
    problems.push(`hosts[${index}].name: ${show(name)} is already the name of hosts[${first}]`);
  }
  for (const [index, first] of duplicates(hosts, ({ address }) => address)) {
    problems.push(`hosts[${index}].address: ${show(hosts[index]!.address)} is already the address of hosts[${first}]`);
  }
  const sameAddress = new Set([...duplicates(hosts, ({ address }) => address)].map(([index]) => index));
  for (const [index, first] of duplicates(hosts, loginOf)) {
    if (sameAddress.has(index)) continue;
    const { host, port } = hosts[index]!.ssh;
    problems.push(
      `hosts[${index}].ssh.host: ${show(host)}, port ${port}, is already where one logs in to hosts[${first}]: a machine is one host`,
    );
  }
  for (const [index, { dns, capture, gateway, environment }] of hosts.entries()) {
    if (dns) problems.push(...seenTo("dns: true", DNS_VARIABLES, environment, index));
    if (capture === "all" || gateway) continue;
    problems.push(...seenTo(`capture: ${capture}`, CAPTURING_VARIABLES, environment, index));
    if (dns) {
      problems.push(
        `hosts[${index}].dns: true is not allowed beside capture: ${capture}; names of the mesh lead to addresses that only captured outgoing traffic reaches`,
      );
    }
  }
  for (const [index, { readinessProbe, environment }] of hosts.entries()) {
    if (readinessProbe) problems.push(...seenTo("readinessProbe", PROBE_VARIABLES, environment, index));
  }
  problems.push(...hosts.flatMap(gatewayProblems));
  for (const [index, host] of hosts.entries()) {
    if (host.inboundPorts === "*") continue;
    for (const [n, port] of host.inboundPorts.entries()) {
      const why = neverTaken(port, host.ssh.port);
      if (why !== undefined) problems.push(`hosts[${index}].inboundPorts[${n}]: ${port} is not allowed; ${why}`);
    }
    for (const [n, first, port] of duplicates(host.inboundPorts, String)) {
      problems.push(`hosts[${index}].inboundPorts[${n}]: ${port} is already inboundPorts[${first}]`);
    }
  }
  return problems;
}

/** A gateway has a network to lead into, and is nothing else. */
function gatewayProblems(
  { gateway, network, dns, adopt, drain, readinessProbe, environment }: HostConfig,
  index: number,
): string[] {
  if (!gateway) return [];
  const place = `hosts[${index}]`;
  const taken = Object.entries({ dns, adopt, drain, readinessProbe: readinessProbe !== undefined });
  return [
    ...(network === undefined ? [`${place}.gateway: it needs a network to lead into`] : []),
    ...taken.flatMap(([field, set]) =>
      set ? [`${place}.${field}: not beside gateway: true, which is no workload`] : [],
    ),
    ...seenTo("gateway: true", GATEWAY_VARIABLES, environment, index),
  ];
}

/**
 * Of a service, a host's sidecar takes all ports or, unless it shall take everything, none: clients speak mutual TLS to a
 * service or they don't (ServiceTraffic).
 */
function* portProblems(ports: ServiceConfig["ports"], { capture, inboundPorts, ssh }: HostConfig) {
  const taken = ports.filter(({ targetPort }) => takes(inboundPorts, targetPort, ssh.port));
  const others = ports.filter((port) => !taken.includes(port)).map(({ targetPort }) => targetPort);
  const why = inboundPorts === "*" ? "which is never intercepted" : "which is not among the host's inboundPorts";
  if (capture === "all") {
    for (const port of others) yield `the service needs port ${port}, ${why}`;
  } else if (taken.length > 0 && others.length > 0) {
    yield `its sidecar takes ${taken.map(({ targetPort }) => targetPort).join(", ")} of the service's ports and not ${others.join(", ")}, ${why}: make two services of it, one with mutual TLS and one without`;
  }
}

function serviceProblems({ hosts, services }: Config): string[] {
  const problems: string[] = [];
  for (const [index, first, name] of duplicates(services, (service) => `${service.namespace}/${service.name}`)) {
    problems.push(`services[${index}].name: ${show(name)} is already the name of services[${first}]`);
  }
  const ofService = (service: ServiceConfig, index: number) => {
    for (const [n, first, port] of duplicates(service.ports, ({ port }) => String(port))) {
      problems.push(`services[${index}].ports[${n}].port: ${port} is already the port of ports[${first}]`);
    }
    for (const [n, first, name] of duplicates(service.ports, ({ name }) => name)) {
      problems.push(`services[${index}].ports[${n}].name: ${show(name)} is already the name of ports[${first}]`);
    }
    for (const [n, first, name] of duplicates(service.hosts, (host) => host)) {
      problems.push(`services[${index}].hosts[${n}]: ${show(name)} is already hosts[${first}]`);
    }
    const serving = hosts.filter((host) => service.hosts.includes(host.name));
    if (serving.length > 0 && serving.every((host) => host.gone)) {
      problems.push(`services[${index}].hosts: every one of them is gone; name another host, or remove the service`);
    }
    for (const [n, name] of service.hosts.entries()) {
      const place = `services[${index}].hosts[${n}]: ${show(name)} is not allowed;`;
      const host = hosts.find((candidate) => candidate.name === name);
      if (host === undefined) {
        const known = hosts.map((h) => h.name).join(", ") || "the hosts, but there are none";
        problems.push(`${place} expected one of ${known}`);
        continue;
      }
      if (host.gateway) problems.push(`${place} it is a gateway, which serves nothing itself`);
      if (host.readinessProbe !== undefined && host.namespace !== service.namespace) {
        problems.push(
          `${place} it has a readinessProbe, which counts in its own namespace alone, ${host.namespace}: serve from there`,
        );
      }
      for (const why of portProblems(service.ports, host)) problems.push(`${place} ${why}`);
    }
  };
  services.forEach(ofService);
  return problems;
}

/** A sidecar speaks one protocol at a port of its host, of whichever services: that of the first that it hears of. */
function protocolProblems({ services }: Config): string[] {
  const spoken = new Map<string, { place: string; protocol: string }>();
  const problems = new Set<string>();
  for (const [index, { hosts, ports }] of services.entries()) {
    for (const [n, { targetPort, protocol }] of ports.entries()) {
      const place = `services[${index}].ports[${n}]`;
      for (const host of hosts) {
        const at = `${host}:${targetPort}`;
        const first = spoken.get(at);
        if (first === undefined) spoken.set(at, { place, protocol });
        else if (first.protocol !== protocol)
          problems.add(
            `${place}.protocol: ${protocol}, but ${first.place} has ${first.protocol} at the same port of ${host}, ${targetPort}`,
          );
      }
    }
  }
  return [...problems];
}

/** Addresses of machines that lie among those of the cluster's services, where nobody looks for a machine. */
function rangeProblems({ hosts, exposure, serviceCidr }: Config): string[] {
  if (serviceCidr === "auto" || serviceCidr === "*") return [];
  const addresses = [
    ...hosts.map(({ address }, index) => [`hosts[${index}].address`, address]),
    ...("nodeAddresses" in exposure
      ? (exposure.nodeAddresses ?? []).map((address, n) => [`exposure.nodeAddresses[${n}]`, address])
      : []),
    ...("address" in exposure && isIP(exposure.address) !== 0 ? [["exposure.address", exposure.address]] : []),
  ] as [string, string][];
  return addresses.flatMap(([place, address]) => {
    const range = serviceCidr.split(",").find((one) => isWithin(address, one));
    return range === undefined ? [] : [`${place}: ${show(address)} is not allowed; it lies in serviceCidr, ${range}`];
  });
}

/** Certificates that would outlive their issuer, or be renewed without end. */
function validityProblems({ ca, workloadCertificate }: Config): string[] {
  const { validityHours, earlyRenewalHours } = workloadCertificate;
  const problems: string[] = [];
  const below = (path: string, hours: number, other: string, limit: number) =>
    problems.push(`${path}: ${hours} is not allowed; expected less than ${other}, ${limit}`);
  if (earlyRenewalHours >= validityHours) {
    below(
      "workloadCertificate.earlyRenewalHours",
      earlyRenewalHours,
      "workloadCertificate.validityHours",
      validityHours,
    );
  }
  if (ca === undefined || "provided" in ca) return problems;
  const { rootValidityHours, intermediateValidityHours } = ca;
  const outlives = (path: string, hours: number, other: string, limit: number) => {
    if (hours > limit)
      problems.push(`${path}: ${hours} is not allowed; expected no more than ${other}, ${limit}, which issues it`);
  };
  outlives("ca.intermediateValidityHours", intermediateValidityHours, "ca.rootValidityHours", rootValidityHours);
  outlives(
    "workloadCertificate.validityHours",
    validityHours,
    "ca.intermediateValidityHours",
    intermediateValidityHours,
  );
  return problems;
}

/** Revocation lists that nobody would take. */
function revocationProblems({ ca, controlPlane }: Config): string[] {
  if (ca === undefined || "provided" in ca || !ca.revocationLists || !("install" in controlPlane)) return [];
  const { version } = controlPlane.install;
  return isAtLeast(version, LISTS_SINCE)
    ? []
    : [`ca.revocationLists: Istio ${version} knows none; they are for ${LISTS_SINCE} and later`];
}

/** What makes sense with a control plane that is installed only, or with one that is there already. */
function controlPlaneProblems({ ca, hosts, controlPlane, exposure }: Config): string[] {
  const problems: string[] = [];
  const made = ca !== undefined && !("provided" in ca);
  if ("existing" in controlPlane && made) {
    problems.push(
      "ca: an existing control plane has a CA already; give yours as ca.provided if it is that, or leave it out",
    );
  }
  for (const [index, { identity, revision }] of hosts.entries()) {
    if (identity === "certificate" && ca === undefined) {
      problems.push(
        `hosts[${index}].identity: "certificate" is not allowed; it needs the CA of the existing mesh (ca.provided): choose token`,
      );
    }
    if ("install" in controlPlane && revision !== DEFAULT_REVISION) {
      problems.push(`hosts[${index}].revision: ${show(revision)} is not allowed; the stack installs but one revision`);
    }
  }
  if ("install" in controlPlane && exposure.type === "LoadBalancer") {
    const { service, namespace } = exposure.gateway;
    if (`${namespace}/${service}` !== "istio-system/istio-ingressgateway") {
      problems.push(
        "exposure.gateway: is for an existing control plane; the one that is installed here is istio-ingressgateway",
      );
    }
  }
  return problems;
}

/** Names that must differ, or that must exist elsewhere; ports, addresses and times that must fit. */
export function checkReferences(config: Config): string[] {
  return [
    hostProblems,
    serviceProblems,
    protocolProblems,
    rangeProblems,
    validityProblems,
    revocationProblems,
    controlPlaneProblems,
  ].flatMap((problems) => problems(config));
}

/** Every secret that a field names, and where. */
function namedSecrets(stack: Stack): [place: string, name: string][] {
  const { ca } = stack;
  return [
    ...sshPlaces(stack).flatMap(({ place, server: { key } }): [string, string][] =>
      key !== undefined && "secret" in key ? [[`${place}.key.secret`, key.secret]] : [],
    ),
    ...(ca !== undefined && "provided" in ca
      ? [["ca.provided.caKey.secret", ca.provided.caKey.secret] as [string, string]]
      : []),
    ...allPackages(stack).flatMap(({ place, source }): [string, string][] =>
      "secret" in source ? [[`${place}.url.secret`, source.secret]] : [],
    ),
  ];
}

/**
 * Secrets that are named but not there, and those that are there for nothing.
 *
 * @param complete whether every field that may name one is known
 */
export function checkSecrets(stack: Stack, secrets: ReadonlySet<string>, complete: boolean): string[] {
  const named = namedSecrets(stack);
  return [
    ...named
      .filter(([, name]) => !secrets.has(name))
      .map(([place, name]) => `${place}: there is no secret ${show(name)}; pulumi config set --secret ${name} < FILE`),
    ...[...secrets]
      .filter((name) => complete && !(name in keys) && !named.some(([, wanted]) => wanted === name))
      .map((name) => `${name}: unknown key; no field names a secret ${show(name)}`),
  ];
}
