/**
 * The program, in the order of execution: certificate authority, control plane, how hosts reach it, each host's
 * identity, the hosts themselves, and the services that they offer to the mesh.
 */
import { Namespace } from "@pulumi/kubernetes/core/v1";
import { Provider } from "@pulumi/kubernetes/provider";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import {
  CaCertsSecret,
  CertificateAuthority,
  ControlPlaneExposure,
  ExternalService,
  IstioControlPlane,
  MeshExpansion,
  MeshHost,
  SampleClient,
  type SidecarPackage,
  WorkloadIdentity,
} from "./components";
import type { Config, ServiceConfig } from "./config";

import { privateKeyBlock } from "./config/privateKey";
import { loadConfig } from "./config/stackConfig";
import { fingerprint } from "./mesh/certificates";
import { hasGateway } from "./mesh/controlPlane";
import { exposureOf } from "./mesh/exposure";
import { spiffeId } from "./mesh/spiffe";
import { ownerLabels } from "./mesh/kubernetesObject";
import { configuredTarget, Neighbours } from "./ssh/machine";
import { requireAnsweringAgent, sshConnection } from "./ssh/connection";
import { controlPlaneManifest } from "./tools/istioctl";
import { detectServiceCidr } from "./tools/serviceCidr";

/** @returns the stack's outputs */
async function program() {
  const config = loadConfig();
  const { cluster, sampleClient } = config;
  if (config.hosts.length > 0) requireAnsweringAgent();
  const connections = new Map(config.hosts.map(({ name, ssh }) => [name, sshConnection(ssh)]));
  const neighbours = new Neighbours(
    new Map(config.hosts.filter(({ gone }) => !gone).map(({ name, ssh }) => [name, configuredTarget(ssh)])),
  );
  const manifest = await controlPlaneManifest(config);
  const gateway = hasGateway(manifest);
  const { serviceTypes, passed } = exposureOf(config.exposure, gateway);

  const provider = new Provider("cluster", {
    kubeconfig: cluster.kubeconfig,
    context: cluster.context,
    // A changed ConfigMap or Secret (an Istio setting, a rotated CA) is updated, not deleted and made anew.
    enableConfigMapMutable: true,
    enableSecretMutable: true,
  });
  const owner = new random.RandomId("owner", { byteLength: 8 }).hex;

  const ca = new CertificateAuthority("ca", authorityArgs(config));

  const cacerts = new CaCertsSecret(
    "cacerts",
    { ...ca, namespaceExists: cluster.existingNamespaces.includes("istio-system"), access: cluster, owner },
    { provider, dependsOn: ca },
  );

  const controlPlane = new IstioControlPlane(
    "istio",
    { manifest, exposed: Object.keys(serviceTypes), owner },
    { provider, dependsOn: cacerts },
  );

  // Only where hosts reach istiod through the ingress gateway.
  const expansion =
    passed.length === 0
      ? []
      : [new MeshExpansion("expansion", { ports: passed, owner }, { provider, dependsOn: controlPlane })];

  const exposure = new ControlPlaneExposure(
    "exposure",
    { ...config.exposure, gateway },
    { provider, dependsOn: [controlPlane, ...expansion] },
  );

  const wanted = [...config.hosts, ...config.services, ...(sampleClient ? [sampleClient] : [])];
  const namespaces = [...new Set(wanted.map(({ namespace }) => namespace))]
    .filter((name) => !cluster.existingNamespaces.includes(name))
    .map(
      (name) => new Namespace(`namespace-${name}`, { metadata: { name, labels: ownerLabels(owner) } }, { provider }),
    );

  const serviceCidr = pulumi.output(config.serviceCidr === "auto" ? detectServiceCidr(cluster) : config.serviceCidr);

  const hosts = new Map(
    config.hosts.map((host) => {
      const workload = {
        trustDomain: cluster.trustDomain,
        namespace: host.namespace,
        serviceAccount: host.serviceAccount,
      };
      const identity = new WorkloadIdentity(
        `${host.name}-identity`,
        { ...workload, ...ca, ...config.workloadCertificate },
        { dependsOn: exposure },
      );
      const member = new MeshHost(
        host.name,
        {
          ...workload,
          connection: connections.get(host.name)!,
          address: host.address,
          clusterName: cluster.name,
          serviceCidr,
          inboundPorts: host.inboundPorts,
          labels: host.labels,
          environment: host.environment,
          istiodAddress: exposure.address,
          istiodPort: exposure.port,
          identity: identity.spiffeId,
          rootCert: ca.rootCert,
          certChain: identity.certChain,
          key: identity.key,
          sidecar: sidecarPackage(config),
          adopt: host.adopt,
          healDrift: config.healDrift,
          gone: host.gone,
          owner,
          neighbours,
        },
        { dependsOn: [exposure, identity, ...namespaces] },
      );
      return [host.name, { identity, member, config: host }];
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
        endpoints: serving.map(({ config: { address, serviceAccount, labels, namespace } }) => ({
          address,
          serviceAccount,
          labels,
          ...(namespace === service.namespace
            ? {}
            : { identity: spiffeId({ trustDomain: cluster.trustDomain, namespace, serviceAccount }) }),
        })),
        clusterDomain: cluster.domain,
        owner,
      },
      { provider, dependsOn: [controlPlane, ...namespaces, ...serving.map(({ member }) => member)], aliases },
    );
    return [`${service.name}.${service.namespace}`, external.url] as const;
  });

  if (sampleClient)
    new SampleClient("sleep", { ...sampleClient, owner }, { provider, dependsOn: [controlPlane, ...namespaces] });

  return {
    /** The stack's owner mark, which everything that it makes carries. */
    owner,
    /** SHA-256 of the certificate that the mesh trusts, as `openssl x509 -fingerprint -sha256` prints it. */
    rootFingerprint: ca.rootCert.apply(fingerprint),
    /** How hosts reach istiod. */
    istiod: pulumi.interpolate`${exposure.address}:${exposure.port}`,
    /** Each host's identity in the mesh, and what its last join said. */
    meshHosts: Object.fromEntries(
      [...hosts].map(([name, { identity, member }]) => [name, { identity: identity.spiffeId, state: member.state }]),
    ),
    /** Each service's URL for clients in the mesh. */
    services: Object.fromEntries(externalServices),
  };
}

/** istiod reads a key at the very beginning of its file only. */
const istiodKey = (text: string) => (text.startsWith("-----BEGIN EC PARAM") ? privateKeyBlock(text)! : text);

function authorityArgs({ ca }: Config) {
  if (!("provided" in ca)) return ca;
  const { caKey, ...certificates } = ca.provided;
  return { provided: { ...certificates, caKey: new pulumi.Config().requireSecret(caKey.secret).apply(istiodKey) } };
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

function sidecarPackage({ sidecar }: Config): SidecarPackage {
  if (!("url" in sidecar)) return sidecar;
  const { url, sha256 } = sidecar;
  if (typeof url === "string") return { url, sha256 };
  return { secretUrl: new pulumi.Config().requireSecret(url.secret).apply((text) => text.trim()), sha256 };
}

export = program;
