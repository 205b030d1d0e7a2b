/**
 * The program, in the order of execution: certificate authority, control plane, how hosts reach it, each host's
 * identity, the hosts themselves, and the services that they offer to the mesh.
 */
import type { types } from "@pulumi/command";
import { Namespace, ServiceAccount } from "@pulumi/kubernetes/core/v1";
import { Provider } from "@pulumi/kubernetes/provider";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import {
  CaCertsSecret,
  CertificateAuthority,
  ControlPlaneExposure,
  EastWestGateway,
  EndedIdentities,
  ExternalService,
  IstioControlPlane,
  MeshExpansion,
  MeshHost,
  SampleClient,
  type SidecarPackage,
  WorkloadIdentity,
} from "./components";
import type { Authority, Config, HostConfig, ServiceConfig } from "./config";
import { signingKey } from "./config/caKey";
import { loadConfig } from "./config/stackConfig";
import { fingerprint, inspectCertificate } from "./mesh/certificates";
import { spiffeId } from "./mesh/spiffe";
import { factsOf, istiodName } from "./mesh/istiod";
import { ownerLabels } from "./mesh/kubernetesObject";
import { configuredTarget, Neighbours } from "./ssh/machine";
import { requireAnsweringAgent, sshConnection, valueOf } from "./ssh/connection";
import { endedIdentities } from "./ssh/ended";
import type { Login } from "./ssh/session";
import { type Mesh, readMesh } from "./tools/mesh";
import { accountName, requestToken } from "./tools/serviceAccounts";
import { detectServiceCidr } from "./tools/serviceCidr";
import { withdrawalCommand } from "./tools/withdrawal";

/** @returns the stack's outputs */
async function program() {
  const config = loadConfig();
  const { cluster, sampleClient } = config;
  if (config.hosts.length > 0) requireAnsweringAgent();
  const connections = new Map(config.hosts.map(({ name, ssh }) => [name, sshConnection(ssh)]));
  const neighbours = new Neighbours(
    new Map(config.hosts.filter(({ gone }) => !gone).map(({ name, ssh }) => [name, configuredTarget(ssh)])),
  );
  const byToken = config.hosts.filter(({ identity, gone }) => identity === "token" && !gone);
  const [mesh, lapsed] = await Promise.all([
    readMesh(config),
    askForLapsed(byToken.map(({ name }) => [name, connections.get(name)!])),
  ]);
  const { controlPlanes, exposure: wanted } = mesh;
  const istiods = [...new Map([...controlPlanes.values()].map((one) => [one.service, one])).values()];

  const provider = new Provider("cluster", {
    kubeconfig: cluster.kubeconfig,
    context: cluster.context,
    // A changed ConfigMap or Secret (an Istio setting, a rotated CA) is updated, not deleted and made anew.
    enableConfigMapMutable: true,
    enableSecretMutable: true,
  });
  const owner = new random.RandomId("owner", { byteLength: 8 }).hex;

  const ca = config.ca && new CertificateAuthority("ca", authorityArgs(config.ca));

  const installed = mesh.manifest === undefined ? [] : [install(config, mesh, ca!, { provider, owner })];

  const namespaces = mesh.namespaces.map(
    ({ name, labels }) =>
      new Namespace(
        `namespace-${name}`,
        { metadata: { name, labels: ownerLabels<pulumi.Input<string>>(owner, labels) } },
        { provider },
      ),
  );

  const inUse = new Set(config.hosts.filter(({ gone }) => !gone).map(accountName));
  const accounts = mesh.accounts
    .filter((account) => inUse.has(accountName(account)))
    .map(
      ({ namespace, serviceAccount: name }) =>
        new ServiceAccount(
          `account-${namespace}/${name}`,
          { metadata: { name, namespace, labels: ownerLabels(owner) } },
          { provider, dependsOn: namespaces },
        ),
    );

  const gateway =
    wanted.through === "ownGateway"
      ? [
          new EastWestGateway(
            "gateway",
            {
              namespace: mesh.gateway!.namespace,
              revision: istiods[0]!.revision,
              network: mesh.crossedNetwork,
              clusterDomain: cluster.domain,
              owner,
            },
            { provider, dependsOn: [...installed, ...namespaces] },
          ),
        ]
      : [];

  // Only where hosts reach istiod through a gateway.
  const expansion =
    wanted.passed.length === 0
      ? []
      : [
          new MeshExpansion(
            "expansion",
            { ports: wanted.passed, istiods, gateway: mesh.gateway!, clusterDomain: cluster.domain, owner },
            { provider, dependsOn: [...installed, ...gateway] },
          ),
        ];

  const exposure = new ControlPlaneExposure(
    "exposure",
    { exposure: wanted, istiods, gateway: mesh.gateway, network: mesh.crossedNetwork, owner },
    { provider, dependsOn: [...installed, ...gateway, ...expansion] },
  );

  const serviceCidr = pulumi.output(config.serviceCidr === "auto" ? detectServiceCidr(cluster) : config.serviceCidr);

  const endings = endingHosts(config, mesh);
  const ended =
    endings.length === 0
      ? undefined
      : new EndedIdentities(
          "ended",
          {
            hosts: endings.map(({ name, namespace, serviceAccount, revision, gone }) => {
              const { trustDomain, rootNamespace } = controlPlanes.get(revision)!;
              return {
                name,
                identity: spiffeId({ trustDomain, namespace, serviceAccount }),
                rootNamespace,
                ended: gone,
              };
            }),
            access: cluster,
            owner,
          },
          { dependsOn: installed },
        );

  const hosts = new Map(
    config.hosts.map((host) => {
      const controlPlane = controlPlanes.get(host.revision)!;
      const { trustDomain, clusterName, network, rootCerts, audience } = controlPlane;
      const workload = { trustDomain, namespace: host.namespace, serviceAccount: host.serviceAccount };
      const identity =
        host.identity === "certificate" && !host.gone
          ? new WorkloadIdentity(
              `${host.name}-identity`,
              { ...workload, ...ca!, ...config.workloadCertificate },
              { dependsOn: exposure },
            )
          : undefined;
      const istiod = { ...exposure.of(controlPlane.service), name: istiodName(controlPlane) };
      const member = new MeshHost(
        host.name,
        {
          ...workload,
          connection: connections.get(host.name)!,
          address: host.address,
          clusterName,
          network: host.network ?? network,
          serviceCidr,
          inboundPorts: host.inboundPorts,
          labels: host.labels,
          environment: host.environment,
          istiod,
          identity: spiffeId(workload),
          rootCert: rootCerts ?? ca!.rootCert,
          proof: identity ?? {
            token: () => requestToken(workload, audience, cluster),
            ended: lapsed.get(host.name),
          },
          withdrawal: withdrawalCommand(
            {
              host: host.name,
              address: host.address,
              identity: spiffeId(workload),
              istiods: [...new Set(istiods.map(({ namespace }) => namespace))],
            },
            cluster,
          ),
          sidecar: sidecarPackages(config),
          adopt: host.adopt,
          healDrift: config.healDrift,
          gone: host.gone,
          owner,
          neighbours,
        },
        {
          dependsOn: [
            ...[exposure, ...namespaces, ...accounts, ...(ended?.of(host.name) ?? [])],
            ...(identity ? [identity] : []),
          ],
        },
      );
      return [
        host.name,
        {
          identity: spiffeId(workload),
          istiod,
          revision: controlPlane.revision,
          member,
          config: host,
          returnsUntil: identity?.certChain.apply((chain) => inspectCertificate(chain).notAfter.toISOString()),
        },
      ];
    }),
  );

  const externalServices = config.services.map((service) => {
    const serving = service.hosts.map((name) => hosts.get(name)!).filter((host) => !host.config.gone);
    const [resource, aliases] = serviceResource(service, config.services);
    const external = new ExternalService(
      resource,
      {
        serviceName: service.name,
        namespace: service.namespace,
        ports: service.ports,
        endpoints: serving.map(({ config: { address, serviceAccount, labels, namespace, network }, identity }) => ({
          address,
          serviceAccount,
          labels,
          network,
          ...(namespace === service.namespace ? {} : { identity }),
        })),
        clusterDomain: cluster.domain,
        owner,
      },
      { provider, dependsOn: [...installed, ...namespaces, ...serving.map(({ member }) => member)], aliases },
    );
    return [`${service.name}.${service.namespace}`, external.url] as const;
  });

  if (sampleClient)
    new SampleClient(
      "sleep",
      { ...sampleClient, revision: istiods[0]!.revision, owner },
      { provider, dependsOn: [...installed, ...namespaces] },
    );

  const first = exposure.of(istiods[0]!.service);
  return {
    /** The stack's owner mark, which everything that it makes carries. */
    owner,
    /** The control planes that hosts belong to, by revision: what was installed, or mesh. */
    controlPlanes: Object.fromEntries(
      istiods.map((one) => [
        one.revision,
        { ...factsOf(one), istiod: { ...exposure.of(one.service), name: istiodName(one) } },
      ]),
    ),
    /** SHA-256 of the certificate that the mesh trusts, as `openssl x509 -fingerprint -sha256` prints it. */
    rootFingerprint: pulumi.output(istiods[0]!.rootCerts ?? ca!.rootCert).apply(fingerprint),
    /** How hosts reach istiod. */
    istiod: pulumi.interpolate`${first.addresses[0]}:${first.port}`,
    /** Each host's identity in the mesh, until when it comes back by itself if it is off, and what its last join said. */
    meshHosts: Object.fromEntries(
      [...hosts].map(([name, { identity, istiod, revision, returnsUntil, member }]) => [
        name,
        { identity, istiod, revision, returnsUntil, state: member.state },
      ]),
    ),
    /** Each service's URL for clients in the mesh. */
    services: Object.fromEntries(externalServices),
  };
}

/** When the identities of these hosts ended, of those that are so. */
async function askForLapsed(hosts: [string, types.input.remote.ConnectionArgs][]): Promise<Map<string, Date>> {
  const logins = hosts.map(async ([name, to]): Promise<[string, Login]> => [name, await valueOf(pulumi.output(to))]);
  return endedIdentities(new Map(await Promise.all(logins)));
}

/** The hosts whose identity ends with them: it is of an account of the stack's own, which no other host has. */
function endingHosts({ hosts, denyEnded }: Config, { accounts }: Mesh): HostConfig[] {
  const own = new Set(accounts.map(accountName));
  const users = hosts.map(accountName);
  const isAlone = (account: string) => users.indexOf(account) === users.lastIndexOf(account);
  return denyEnded ? hosts.filter((host) => own.has(accountName(host)) && isAlone(accountName(host))) : [];
}

/** A control plane of the stack's own: its CA in the cluster, then Istio. */
function install(
  { cluster }: Config,
  { manifest = [], exposure }: Mesh,
  ca: CertificateAuthority,
  { provider, owner }: { provider: Provider; owner: pulumi.Output<string> },
) {
  const cacerts = new CaCertsSecret(
    "cacerts",
    { ...ca, namespaceExists: cluster.existingNamespaces.includes("istio-system"), access: cluster, owner },
    { provider, dependsOn: ca },
  );
  return new IstioControlPlane(
    "istio",
    { manifest, exposed: Object.keys(exposure.serviceTypes), owner },
    { provider, dependsOn: cacerts },
  );
}

function authorityArgs(ca: Authority) {
  if (!("provided" in ca)) return ca;
  const { caKey, ...certificates } = ca.provided;
  return { provided: { ...certificates, caKey: new pulumi.Config().requireSecret(caKey.secret).apply(signingKey) } };
}

type ServiceName = Pick<ServiceConfig, "namespace" | "name">;

/**
 * The name of a service's resource, and those that it had before: `a-b` and `c` would have the same as `a` and `b-c`, but
 * for a sign that no name has.
 */
function serviceResource({ namespace, name }: ServiceName, services: ServiceName[]): [string, { name: string }[]] {
  const plain = (service: ServiceName) => `service-${service.namespace}-${service.name}`;
  const former = plain({ namespace, name });
  if (!namespace.includes("-")) return [former, []];
  const others = services.filter((other) => plain(other) === former);
  return [`service-${namespace}/${name}`, others.length > 1 ? [] : [{ name: former }]];
}

function sidecarPackages({ sidecar }: Config): SidecarPackage[] {
  const secretUrl = (name: string) => new pulumi.Config().requireSecret(name).apply((text) => text.trim());
  return sidecar.map(({ format, architecture, sha256, source }) => ({
    ...{ format, architecture, sha256 },
    ...("secret" in source ? { secretUrl: secretUrl(source.secret) } : source),
  }));
}

export = program;
