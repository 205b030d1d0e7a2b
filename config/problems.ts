import type { z } from "zod";
import type { Config } from "./index";

/** A value as it may be shown: short, on one line, and never a key. */
export function show(value: unknown): string {
  if (value === undefined) return "nothing";
  const json = JSON.stringify(value);
  if (json.includes("PRIVATE KEY")) return "a private key";
  return json.length > 60 ? `${json.slice(0, 57)}...` : json;
}

function pathText(path: PropertyKey[]): string {
  return path.reduce<string>((at, part) => {
    if (typeof part === "number") return `${at}[${part}]`;
    return at === "" ? String(part) : `${at}.${String(part)}`;
  }, "");
}

/**
 * One finding of the schema as lines for a person: the path, the value, and what is allowed there.
 *
 * @param topLevel the top-level keys that exist, named where one is unknown
 */
export function describeIssue(issue: z.core.$ZodIssue, input: unknown, topLevel: string[]): string[] {
  const place = pathText(issue.path);
  const value = issue.path.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key], input);
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) =>
      place === ""
        ? `${key}: unknown key; there are ${topLevel.join(", ")}, and the secrets that they name`
        : `${place}.${key}: unknown field`,
    );
  }
  if (issue.code === "invalid_union" && typeof value === "object" && value !== null) {
    // The alternative that fits best says more than "none fits": a typo in one of its fields, for example. The deeper
    // its findings lie, the better it fits; one of another type than the value does not fit at all.
    const depth = (findings: z.core.$ZodIssue[]) => Math.min(...findings.map(({ path }) => path.length));
    const [best] = issue.errors
      .filter((findings) => findings.every(({ path, code }) => path.length > 0 || code === "unrecognized_keys"))
      .sort((a, b) => depth(b) - depth(a) || a.length - b.length);
    if (best !== undefined) {
      return best.flatMap((inner) =>
        describeIssue({ ...inner, path: [...issue.path, ...inner.path] }, input, topLevel),
      );
    }
  }
  if (issue.code === "invalid_key") {
    return issue.issues.map(({ message }) => `${place}: the name is not allowed; expected ${message}`);
  }
  return value === undefined
    ? [`${place}: missing; expected ${issue.message}`]
    : [`${place}: ${show(value)} is not allowed; expected ${issue.message}`];
}

function* duplicates<T>(items: T[], value: (item: T) => string): Generator<[number, number, string]> {
  const seen = new Map<string, number>();
  for (const [index, item] of items.entries()) {
    const first = seen.get(value(item));
    if (first === undefined) seen.set(value(item), index);
    else yield [index, first, value(item)];
  }
}

/** What no schema of a single field can see: names that must differ, or that must exist elsewhere. */
export function checkReferences(config: Config, secrets: ReadonlySet<string>): string[] {
  const problems: string[] = [];
  const { hosts, services } = config;
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
    const sshPort = host.ssh.port ?? config.ssh.port ?? 22;
    if (host.inboundPorts === "*") continue;
    for (const [n, port] of host.inboundPorts.entries()) {
      const place = `hosts[${index}].inboundPorts[${n}]: ${port} is not allowed;`;
      if (port === sshPort) problems.push(`${place} it is the host's SSH port, which is never intercepted`);
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
      for (const { port, targetPort = port } of service.ports) {
        if (host.inboundPorts !== "*" && !host.inboundPorts.includes(targetPort)) {
          problems.push(`${place} the service needs port ${targetPort}, which is not among the host's inboundPorts`);
        }
      }
    }
  }
  const named = new Set<string>();
  const wanted = (place: string, name: string) => {
    named.add(name);
    if (!secrets.has(name))
      problems.push(`${place}: there is no secret ${show(name)}; pulumi config set --secret ${name} < FILE`);
  };
  const sshKeys: [string, Config["ssh"]][] = [
    ["ssh", config.ssh],
    ...hosts.map((h, i): [string, Config["ssh"]] => [`hosts[${i}].ssh`, h.ssh]),
  ];
  for (const [place, ssh] of sshKeys) {
    if (ssh.key !== undefined && "secret" in ssh.key) wanted(`${place}.key.secret`, ssh.key.secret);
    const bastionKey = ssh.bastion?.key;
    if (bastionKey !== undefined && "secret" in bastionKey) wanted(`${place}.bastion.key.secret`, bastionKey.secret);
  }
  if ("provided" in config.ca) wanted("ca.provided.caKey.secret", config.ca.provided.caKey.secret);
  for (const name of secrets)
    if (!named.has(name)) problems.push(`${name}: unknown key; no field names a secret ${show(name)}`);
  return problems;
}
