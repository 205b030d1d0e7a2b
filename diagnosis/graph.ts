import { type Config, installationOf } from "../config";
import { accessTo, type AuthorizationPolicy } from "./access";
import { istiodsOf, type Outputs } from "./facts";
import type { Health, MeshStatus } from "./status";
import { timeLeft } from "./checks/duration";

/** Mermaid takes a text in quotes; quotes within and what looks like markup must be entities. */
const text = (...lines: string[]) =>
  `"${lines.map((line) => line.replace(/[#"<>&]/g, (character) => `#${character.charCodeAt(0)};`)).join("<br/>")}"`;

/** Names within a graph: letters, digits and underscores. */
const id = (kind: string, name: string) => `${kind}_${name.replace(/\W/g, "_")}`;

const CLASSES = [
  "classDef ok fill:#e6f4ea,stroke:#137333,color:#000",
  "classDef warning fill:#fef7e0,stroke:#b06000,color:#000",
  "classDef error fill:#fce8e6,stroke:#c5221f,color:#000",
];

/** Of istiod: what was found or installed, else what is wanted. */
function versionsOf(config: Config, outputs: Outputs | undefined): string[] {
  const known = Object.values(outputs?.controlPlanes ?? {}).map(({ version }) => version);
  return known.length > 0 ? known : [installationOf(config)?.version ?? "existing"];
}

/**
 * The mesh as a Mermaid flowchart: control plane, hosts, services, who may talk to whom, with their state.
 *
 * @param policies the AuthorizationPolicies of the cluster; undefined where they could not be read
 */
export function renderGraph(
  config: Config,
  outputs: Outputs | undefined,
  status: MeshStatus,
  policies: AuthorizationPolicy[] | undefined,
  now: Date,
): string {
  const nodes: string[] = [];
  const edges: string[] = [];
  const clients = new Map<string, string>();
  const client = (who: string) => {
    clients.set(who, `    ${id("client", who)}([${text(who)}])`);
    return id("client", who);
  };
  const root = istiodsOf(outputs)[0]!.namespace;
  for (const service of config.services) {
    const key = `${service.name}.${service.namespace}`;
    const state = status.services.find(({ name }) => name === key);
    const ports = service.ports.map(({ port, protocol }) => `${protocol} ${port}`).join(", ");
    nodes.push(`    ${id("service", key)}{{${text(key, ports)}}}:::${state?.health ?? "error"}`);
    const serving = config.hosts.filter(({ name, gone }) => service.hosts.includes(name) && !gone);
    for (const { name } of serving) edges.push(`  ${id("service", key)} ==>|mutual TLS| ${id("host", name)}`);
    if (policies === undefined) {
      edges.push(`  ${client("not known: the AuthorizationPolicies could not be read")} -.-> ${id("service", key)}`);
      continue;
    }
    const access = serving.map((host) => accessTo(host, policies, root));
    const may = new Set(
      access.flatMap(({ everybody, allowed }) => (everybody ? ["every workload of the mesh"] : allowed)),
    );
    const mayNot = new Set(access.flatMap(({ denied }) => denied));
    for (const who of may) edges.push(`  ${client(who)} --> ${id("service", key)}`);
    for (const who of mayNot) edges.push(`  ${client(who)} -. denied .-x ${id("service", key)}`);
  }
  const hosts = status.hosts.map((host) => {
    const { address } = config.hosts.find(({ name }) => name === host.name)!;
    const certificate =
      host.certificateEnds === undefined ? [] : [`certificate: ${timeLeft(host.certificateEnds, now)}`];
    const facts = [host.name, address, ...(host.sidecar === undefined ? [] : [host.sidecar]), ...certificate];
    if (host.problem !== undefined) facts.push(host.problem);
    const line = host.inSync ? "<-. configuration .->" : "x-. no configuration .-x";
    if (host.sidecar !== undefined) edges.push(`  istiod ${line} ${id("host", host.name)}`);
    return `    ${id("host", host.name)}[${text(...facts)}]:::${host.health}`;
  });
  const reachable: Health = outputs === undefined ? "error" : "ok";
  return [
    "flowchart LR",
    "  subgraph clients [who may call]",
    ...clients.values(),
    "  end",
    `  subgraph cluster [${text(`cluster ${config.cluster.name ?? Object.values(outputs?.controlPlanes ?? {})[0]?.clusterName ?? ""}`)}]`,
    `    istiod[${text("istiod", ...versionsOf(config, outputs), outputs?.istiod ?? "not installed")}]:::${reachable}`,
    ...nodes,
    "  end",
    "  subgraph machines [virtual machines and bare metal]",
    ...hosts,
    "  end",
    ...edges,
    ...CLASSES.map((line) => `  ${line}`),
  ].join("\n");
}
