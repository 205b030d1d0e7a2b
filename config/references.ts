/** What no schema of a single field can see: what must agree with something elsewhere in the configuration. */
import { show } from "./problems";
import type { Config } from "./resolve";
import type { Stack } from "./schema";

function* duplicates<T>(items: T[], value: (item: T) => string): Generator<[number, number, string]> {
  const seen = new Map<string, number>();
  for (const [index, item] of items.entries()) {
    const first = seen.get(value(item));
    if (first === undefined) seen.set(value(item), index);
    else yield [index, first, value(item)];
  }
}

/** Names that must differ, or that must exist elsewhere; ports that must fit. */
export function checkReferences({ hosts, services }: Config): string[] {
  const problems: string[] = [];
  for (const [index, first, name] of duplicates(hosts, (host) => host.name)) {
    problems.push(`hosts[${index}].name: ${show(name)} is already the name of hosts[${first}]`);
  }
  for (const [index, first, address] of duplicates(hosts, (host) => host.address)) {
    problems.push(`hosts[${index}].address: ${show(address)} is already the address of hosts[${first}]`);
  }
  for (const [index, first, name] of duplicates(services, (service) => `${service.namespace}/${service.name}`)) {
    problems.push(`services[${index}].name: ${show(name)} is already the name of services[${first}]`);
  }
  for (const [index, host] of hosts.entries()) {
    if (host.inboundPorts === "*") continue;
    for (const [n, port] of host.inboundPorts.entries()) {
      const place = `hosts[${index}].inboundPorts[${n}]: ${port} is not allowed;`;
      if (port === host.ssh.port) problems.push(`${place} it is the host's SSH port, which is never intercepted`);
      if (port >= 15000 && port <= 15099) problems.push(`${place} ports 15000 to 15099 belong to the sidecar itself`);
    }
    for (const [n, first, port] of duplicates(host.inboundPorts, String)) {
      problems.push(`hosts[${index}].inboundPorts[${n}]: ${port} is already inboundPorts[${first}]`);
    }
  }
  for (const [index, service] of services.entries()) {
    for (const [n, first, port] of duplicates(service.ports, ({ port }) => String(port))) {
      problems.push(`services[${index}].ports[${n}].port: ${port} is already the port of ports[${first}]`);
    }
    const serving = hosts.filter((host) => service.hosts.includes(host.name));
    if (serving.length > 0 && serving.every((host) => host.gone)) {
      problems.push(`services[${index}].hosts: every one of them is gone; name another host, or remove the service`);
    }
    for (const [n, name] of service.hosts.entries()) {
      const place = `services[${index}].hosts[${n}]: ${show(name)} is not allowed;`;
      const host = hosts.find((candidate) => candidate.name === name);
      if (host === undefined) {
        problems.push(
          `${place} expected one of ${hosts.map((h) => h.name).join(", ") || "the hosts, but there are none"}`,
        );
        continue;
      }
      for (const { targetPort } of service.ports) {
        if (host.inboundPorts !== "*" && !host.inboundPorts.includes(targetPort)) {
          problems.push(`${place} the service needs port ${targetPort}, which is not among the host's inboundPorts`);
        }
      }
    }
  }
  return problems;
}

/** Every secret that a field names, and where. */
function namedSecrets({ ssh, hosts, ca }: Stack): [place: string, name: string][] {
  const servers = [{ place: "ssh", ssh }, ...hosts.map((host, i) => ({ place: `hosts[${i}].ssh`, ssh: host.ssh }))];
  const keys = servers.flatMap(({ place, ssh: { key, bastion } }) => [
    { place: `${place}.key`, key },
    { place: `${place}.bastion.key`, key: bastion?.key },
  ]);
  return [
    ...keys.flatMap(({ place, key }): [string, string][] =>
      key !== undefined && "secret" in key ? [[`${place}.secret`, key.secret]] : [],
    ),
    ...("provided" in ca ? [["ca.provided.caKey.secret", ca.provided.caKey.secret] as [string, string]] : []),
  ];
}

/** Secrets that are named but not there, and those that are there for nothing. */
export function checkSecrets(stack: Stack, secrets: ReadonlySet<string>): string[] {
  const named = namedSecrets(stack);
  return [
    ...named
      .filter(([, name]) => !secrets.has(name))
      .map(([place, name]) => `${place}: there is no secret ${show(name)}; pulumi config set --secret ${name} < FILE`),
    ...[...secrets]
      .filter((name) => !named.some(([, wanted]) => wanted === name))
      .map((name) => `${name}: unknown key; no field names a secret ${show(name)}`),
  ];
}
