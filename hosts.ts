/** The machines of a stack, from what istiod knows of each before it joins to what it serves when it has. */
import type { Provider } from "@pulumi/kubernetes/provider";
import type { types } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import {
  type ControlPlaneExposure,
  type ExternalService,
  MeshHost,
  MeshWorkload,
  NetworkGateway,
  NetworkRoute,
  ServiceMembership,
  type WorkloadIdentity,
} from "./components";
import { type Config, type HostConfig, letsPass, probedFor, type ServiceConfig } from "./config";
import { sidecarPackages } from "./config/secrets";
import { inspectCertificate } from "./mesh/certificates";
import { namesByNamespace, servicesOf } from "./mesh/externalService";
import { istiodName } from "./mesh/istiod";
import { gatewayVariables } from "./mesh/networkGateway";
import { mayWaitForServer } from "./mesh/protocolDetection";
import { probeVariables } from "./mesh/readinessProbe";
import { spiffeId } from "./mesh/spiffe";
import { probedEntry, workloadLabels } from "./mesh/workloadEntry";
import type { Neighbours } from "./ssh/machine";
import { kubectlFor } from "./tools/kubectl";
import type { KnownControlPlane } from "./tools/mesh";
import { requestToken } from "./tools/serviceAccounts";
import { awaitWithdrawal, type Withdrawal, withdrawalCommand } from "./tools/withdrawal";

/** What all hosts of a stack have in common. */
export interface Site {
  config: Config;
  /** By the names by which hosts call them. */
  controlPlanes: Map<string, KnownControlPlane>;
  exposure: ControlPlaneExposure;
  serviceCidr: pulumi.Input<string>;
  /** Of an Istio that the stack installs: what the mesh trusts, and its revocation lists. */
  trusted?: pulumi.Output<string>;
  revocationLists?: pulumi.Output<string>;
  /** How to log in to each. */
  connections: Map<string, types.input.remote.ConnectionArgs>;
  neighbours: Neighbours;
  /** When identities by tokens ended, of those that have. */
  lapsed: Map<string, Date>;
  externalServices: Map<ServiceConfig, ExternalService>;
  /** The services to which clients speak plain text, as a host has it that lets them pass (ServiceTraffic). */
  plain: Map<ServiceConfig, pulumi.Resource>;
  /** What is there before anything of a host's in the cluster: the control plane, and namespaces. */
  grounds: pulumi.Resource[];
  provider: Provider;
  /** The stack's owner mark. */
  owner: pulumi.Output<string>;
}

/** Its SPIFFE ID. */
export const identityOf = (
  { revision, namespace, serviceAccount }: HostConfig,
  controlPlanes: Map<string, KnownControlPlane>,
) => spiffeId({ trustDomain: controlPlanes.get(revision)!.trustDomain, namespace, serviceAccount });

/** What its sidecar hears of, so that it must be there when it joins. */
function known(host: HostConfig, site: Site): pulumi.Resource[] {
  const { config, externalServices, provider, owner, grounds } = site;
  const { name, namespace, gateway, drain } = host;
  const [services, serverMaySpeakFirst] = [servicesOf(name, config.services), mayWaitForServer(host, config.services)];
  const probedBy = probedFor(host, config.services).map((service) => service.name);
  const args = { host: name, namespace, owner, clusterDomain: config.cluster.domain };
  const workload = {
    ...args,
    ...{ services, serverMaySpeakFirst, workload: { ...host, labels: workloadLabels(host) } },
    probed: probedBy.length > 0 ? { serves: drain ? [] : probedBy } : undefined,
  };
  const after = [...grounds, ...services.map((service) => externalServices.get(service)!)];
  return [
    ...(services.length > 0 || serverMaySpeakFirst
      ? [new MeshWorkload(`${name}-workload`, workload, { provider, dependsOn: after })]
      : []),
    ...(gateway ? [new NetworkGateway(`${name}-gateway`, args, { provider, dependsOn: grounds })] : []),
  ];
}

/** What the mesh does with it, from when it has joined until it leaves. */
function use(host: HostConfig, member: MeshHost, site: Site): void {
  const { config, provider, owner } = site;
  const { name, namespace, address, network, gateway, drain, readinessProbe } = host;
  const services = namesByNamespace(servicesOf(name, config.services));
  const opts = { provider, dependsOn: member };
  if (!drain && services.size > 0 && readinessProbe === undefined) {
    const workload = { ...host, labels: workloadLabels(host) };
    new ServiceMembership(`${name}-membership`, { host: name, services, workload, owner }, opts);
  }
  if (gateway) {
    new NetworkRoute(`${name}-route`, { host: name, namespace, address, network: network!, owner }, opts);
  }
}

/**
 * A host, and all that belongs to it.
 *
 * @param identity of one that proves who it is by a certificate
 * @param before what it waits for beside that
 */
export function joinHost(
  host: HostConfig,
  identity: WorkloadIdentity | undefined,
  before: pulumi.Resource[],
  site: Site,
) {
  const { config, controlPlanes, exposure, connections, lapsed, plain } = site;
  const { name, namespace, serviceAccount, address, readinessProbe } = host;
  const controlPlane = controlPlanes.get(host.revision)!;
  const { trustDomain, clusterName, network, dualStack, rootCerts, audience } = controlPlane;
  const { cluster } = config;
  const istiod = { ...exposure.of(controlPlane.service), name: istiodName(controlPlane) };
  const isProbed = probedFor(host, config.services).length > 0;
  const passing = config.services.filter((service) => letsPass(host, service));
  const istiods = [...new Set([...controlPlanes.values()].map((one) => one.namespace))];
  const withdrawal: Withdrawal = {
    host: name,
    address,
    identity: identityOf(host, controlPlanes),
    istiods,
    ...(isProbed ? { entry: `${namespace}/${probedEntry(name)}` } : {}),
  };
  const member = new MeshHost(
    name,
    {
      ...{ trustDomain, namespace, serviceAccount, address, clusterName, dualStack, istiod },
      ...{ capture: host.capture, inboundPorts: host.inboundPorts, dns: host.dns, adopt: host.adopt, gone: host.gone },
      connection: connections.get(name)!,
      network: host.network ?? network,
      serviceCidr: site.serviceCidr,
      labels: workloadLabels(host),
      environment: {
        ...host.environment,
        ...(isProbed ? probeVariables(probedEntry(name), readinessProbe!) : {}),
        ...(host.gateway ? gatewayVariables(host.network!) : {}),
      },
      identity: identityOf(host, controlPlanes),
      rootCert: rootCerts ?? site.trusted!,
      revocationLists: site.revocationLists,
      proof: identity ?? {
        token: () => requestToken({ namespace, serviceAccount }, audience, cluster),
        ended: lapsed.get(name),
      },
      withdrawal: withdrawalCommand(withdrawal, cluster),
      beforeLettingGo: (say) => awaitWithdrawal({ ...withdrawal, plain: passing }, kubectlFor(cluster), say),
      sidecar: sidecarPackages(host),
      healDrift: config.healDrift,
      owner: site.owner,
      neighbours: site.neighbours,
    },
    {
      dependsOn: [
        ...[exposure, ...site.grounds, ...before, ...(identity ? [identity] : [])],
        ...(host.gone ? [] : known(host, site)),
        ...passing.flatMap((service) => plain.get(service) ?? []),
      ],
    },
  );
  if (!host.gone) use(host, member, site);
  return {
    member,
    /** What the stack tells of it. */
    output: {
      identity: identityOf(host, controlPlanes),
      istiod,
      revision: controlPlane.revision,
      returnsUntil: identity?.certChain.apply((chain) => inspectCertificate(chain).notAfter.toISOString()),
      state: member.state,
    },
  };
}
