/**
 * The program, in the order of execution: certificate authority, control plane, how hosts reach it, each host's
 * identity, the hosts themselves, and the services that they offer to the mesh.
 */
import { Namespace, ServiceAccount } from "@pulumi/kubernetes/core/v1";
import { Provider } from "@pulumi/kubernetes/provider";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import {
  CertificateAuthority,
  ControlPlaneExposure,
  EastWestGateway,
  EndedIdentities,
  ExternalService,
  IssuedCertificates,
  MeshExpansion,
  SampleClient,
  ServiceTraffic,
  WorkloadIdentity,
} from "./components";
import { isInstalled, letsPass, type ServiceConfig } from "./config";
import { loadConfig } from "./config/stackConfig";
import { identityOf, joinHost, type Site } from "./hosts";
import { authorityArgs, install } from "./installation";
import { fingerprint } from "./mesh/certificates";
import { serviceResource } from "./mesh/externalService";
import { spiffeId } from "./mesh/spiffe";
import { factsOf, istiodName, USUAL_ISTIOD } from "./mesh/istiod";
import { ownerLabels } from "./mesh/kubernetesObject";
import { trustedRoots } from "./mesh/rotation";
import { configuredTarget, Neighbours } from "./ssh/machine";
import { requireAnsweringAgent, sshConnection, valueOf } from "./ssh/connection";
import { endedIdentities } from "./ssh/ended";
import type { Login } from "./ssh/session";
import { trustOfHosts } from "./ssh/trust";
import { kubectlFor } from "./tools/kubectl";
import { readMesh } from "./tools/mesh";
import { type Asking, planRotation } from "./tools/rotation";
import { planRevocation } from "./tools/revocation";
import { accountName, usersOf } from "./tools/serviceAccounts";
import { detectServiceCidr } from "./tools/serviceCidr";

/** @returns the stack's outputs */
async function program() {
  const config = loadConfig();
  const { cluster, sampleClient } = config;
  if (config.hosts.length > 0) requireAnsweringAgent();
  const connections = new Map(config.hosts.map(({ name, ssh }) => [name, sshConnection(ssh)]));
  const there = config.hosts.filter(({ gone }) => !gone);
  const neighbours = new Neighbours(new Map(there.map(({ name, ssh }) => [name, configuredTarget(ssh)])));
  const loginTo = async (name: string): Promise<Login> => valueOf(pulumi.output(connections.get(name)!));
  const asking: Asking = {
    kubectl: kubectlFor(cluster),
    askHosts: async () =>
      trustOfHosts(await Promise.all(there.map(async (host) => ({ ...host, login: await loginTo(host.name) })))),
    istiods: [USUAL_ISTIOD.namespace],
  };
  const [mesh, lapsed, rotation] = await Promise.all([
    readMesh(config),
    askForLapsed(
      there.filter(({ identity }) => identity === "token").map(({ name }) => name),
      loginTo,
    ),
    isInstalled(config) ? planRotation(config.ca!, asking) : undefined,
  ]);
  const names = there.map(({ name }) => name);
  const revocation = rotation && (await planRevocation(config.ca!, rotation, names, asking.kubectl));
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

  const ca = config.ca && new CertificateAuthority("ca", authorityArgs(config.ca, rotation));
  /** What the stack's own mesh trusts: of several authorities, while one takes the place of another, all. */
  const trusted = ca?.rootCert.apply((root) =>
    rotation?.found ? trustedRoots(rotation.authorities, rotation.found.rootCert, root) : root,
  );

  const revocationLists = revocation && ca!.revocationLists(revocation.revoked, revocation.present);

  const installed =
    rotation === undefined
      ? []
      : [install(config, mesh, { ca: ca!, trusted: trusted!, rotation, revocationLists, asking }, { provider, owner })];

  const namespaces = mesh.namespaces.map(
    ({ name, labels }) =>
      new Namespace(
        `namespace-${name}`,
        { metadata: { name, labels: ownerLabels<pulumi.Input<string>>(owner, labels) } },
        { provider },
      ),
  );

  const inUse = new Set(there.map(accountName));
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

  const ended = new EndedIdentities(
    "ended",
    {
      identities: [...usersOf(mesh.accounts, config.hosts)].map(([account, users]) => {
        const { namespace, serviceAccount, revision } = users[0]!;
        const { trustDomain, rootNamespace } = controlPlanes.get(revision)!;
        return {
          account,
          hosts: users.map(({ name }) => name),
          identity: spiffeId({ trustDomain, namespace, serviceAccount }),
          rootNamespace,
          ended: users.every(({ gone }) => gone),
        };
      }),
      rootNamespaces: istiods.map(({ rootNamespace }) => rootNamespace),
      deny: config.denyEnded,
      access: cluster,
      owner,
    },
    { dependsOn: installed },
  );

  const identities = new Map(
    there
      .filter(({ identity }) => identity === "certificate")
      .map((host) => {
        const { trustDomain } = controlPlanes.get(host.revision)!;
        const { namespace, serviceAccount } = host;
        const identity = new WorkloadIdentity(
          `${host.name}-identity`,
          { trustDomain, namespace, serviceAccount, ...ca!, ...config.workloadCertificate },
          { dependsOn: exposure },
        );
        return [host.name, identity];
      }),
  );

  // Before a host has its certificate.
  const issued = revocation
    ? [
        new IssuedCertificates(
          "issued",
          {
            earlier: revocation.issued,
            current: Object.fromEntries([...identities].map(([name, { certChain }]) => [name, certChain])),
            owner,
          },
          { provider, dependsOn: installed },
        ),
      ]
    : [];

  const grounds = [...installed, ...namespaces];
  const services = config.services.map((service) => ({ service, resource: serviceResource(service, config.services) }));
  const serving = ({ hosts }: ServiceConfig) => there.filter(({ name }) => hosts.includes(name));
  const externalServices = new Map(
    services.map(({ service, resource: [resource, aliases] }) => {
      const foreign = serving(service).filter(({ namespace }) => namespace !== service.namespace);
      const external = new ExternalService(
        resource,
        {
          ...{ serviceName: service.name, namespace: service.namespace, ports: service.ports },
          dualStack: istiods.every((istiod) => istiod.dualStack),
          foreignIdentities: [...new Set(foreign.map((host) => identityOf(host, controlPlanes)))].sort(),
          ...{ clusterDomain: cluster.domain, owner },
        },
        { provider, dependsOn: grounds, aliases },
      );
      return [service, external];
    }),
  );
  const traffic = (
    { service, resource: [resource] }: (typeof services)[number],
    plain: boolean,
    dependsOn: pulumi.Resource[] = grounds,
  ) =>
    new ServiceTraffic(
      `${resource}-traffic`,
      {
        ...{ serviceName: service.name, namespace: service.namespace, trafficPolicy: service.trafficPolicy },
        ...{ plain, clusterDomain: cluster.domain, owner },
      },
      { provider, dependsOn },
    );
  // Clients speak plain text before a sidecar lets go, and mutual TLS from when all of a service's have taken it on.
  const isPlain = (service: ServiceConfig) => serving(service).some((host) => letsPass(host, service));
  const plain = new Map(
    services.filter(({ service }) => isPlain(service)).map((one) => [one.service, traffic(one, true)]),
  );

  const site: Site = {
    ...{ config, controlPlanes, exposure, serviceCidr, trusted, revocationLists, connections, neighbours, lapsed },
    ...{ externalServices, plain, grounds, provider, owner },
  };
  const hosts = new Map(
    config.hosts.map((host) => {
      const before = [...accounts, ...ended.of(accountName(host)), ...issued];
      return [host.name, joinHost(host, identities.get(host.name), before, site)];
    }),
  );

  for (const one of services.filter(({ service }) => service.trafficPolicy && !isPlain(service))) {
    traffic(one, false, [...grounds, ...serving(one.service).map(({ name }) => hosts.get(name)!.member)]);
  }

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
    rootFingerprint: pulumi.output(istiods[0]!.rootCerts ?? trusted!).apply(fingerprint),
    /** The authorities whose certificates the stack's own mesh believes, and the one that signs. */
    authorities: rotation && { ...rotation.authorities, wanted: rotation.wanted, waitsFor: rotation.missing },
    /** How hosts reach istiod. */
    istiod: pulumi.interpolate`${first.addresses[0]}:${first.port}`,
    /** Each host's identity in the mesh, until when it comes back by itself if it is off, and what its last join said. */
    meshHosts: Object.fromEntries([...hosts].map(([name, { output }]) => [name, output])),
    /** Each service's URL for clients in the mesh. */
    services: Object.fromEntries(
      [...externalServices].map(([{ name, namespace }, { url }]) => [`${name}.${namespace}`, url]),
    ),
  };
}

/** When the identities of these hosts ended, of those that are so. */
async function askForLapsed(names: string[], loginTo: (name: string) => Promise<Login>): Promise<Map<string, Date>> {
  const logins = names.map(async (name): Promise<[string, Login]> => [name, await loginTo(name)]);
  return endedIdentities(new Map(await Promise.all(logins)));
}

export = program;
