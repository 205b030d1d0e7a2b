/**
 * The program, in the order of execution: certificate authority, control plane, how hosts reach it, each host's
 * identity, the hosts themselves, and the services that they offer to the mesh.
 */
import { Namespace } from "@pulumi/kubernetes/core/v1";
import { Provider } from "@pulumi/kubernetes/provider";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { CaCertsSecret } from "./components/caCertsSecret";
import { CertificateAuthority } from "./components/certificateAuthority";
import { ControlPlaneExposure } from "./components/controlPlaneExposure";
import { ExternalService } from "./components/externalService";
import { IstioControlPlane } from "./components/istioControlPlane";
import { MeshExpansion } from "./components/meshExpansion";
import { MeshHost } from "./components/meshHost";
import { ownerLabels } from "./components/owner";
import { SampleClient } from "./components/sampleClient";
import { detectServiceCidr } from "./tools/serviceCidr";
import { requireAnsweringAgent, sshConnection } from "./ssh/connection";
import { loadConfig } from "./config/stackConfig";
import { WorkloadIdentity } from "./components/workloadIdentity";
import { fingerprint } from "./mesh/certificates";

const config = loadConfig();
const { cluster, sampleClient } = config;
if (config.hosts.length > 0) requireAnsweringAgent();
const connections = new Map(config.hosts.map(({ name, ssh }) => [name, sshConnection(ssh)]));

const provider = new Provider("cluster", {
  kubeconfig: cluster.kubeconfig,
  context: cluster.context,
  // A changed ConfigMap or Secret (an Istio setting, a rotated CA) is updated, not deleted and made anew.
  enableConfigMapMutable: true,
  enableSecretMutable: true,
});
/** The stack's owner mark, which everything that it makes carries. */
export const owner = new random.RandomId("owner", { byteLength: 8 }).hex;

const ca = new CertificateAuthority("ca", authorityArgs());

const cacerts = new CaCertsSecret("cacerts", { ...ca, access: cluster, owner }, { provider, dependsOn: ca });

const controlPlane = new IstioControlPlane(
  "istio",
  {
    istioVersion: config.istioVersion,
    istioOperator: config.istioOperator,
    trustDomain: cluster.trustDomain,
    clusterName: cluster.name,
    owner,
  },
  { provider, dependsOn: cacerts },
);

const expansion = new MeshExpansion("expansion", { owner }, { provider, dependsOn: controlPlane });

const exposure = new ControlPlaneExposure("exposure", config.exposure, {
  provider,
  dependsOn: [controlPlane, expansion],
});

const wanted = [...config.hosts, ...config.services, ...(sampleClient ? [sampleClient] : [])];
const namespaces = [...new Set(wanted.map(({ namespace }) => namespace))]
  .filter((name) => !cluster.existingNamespaces.includes(name))
  .map((name) => new Namespace(`namespace-${name}`, { metadata: { name, labels: ownerLabels(owner) } }, { provider }));

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
        sidecar: config.sidecar,
        healDrift: config.healDrift,
        gone: host.gone,
        owner,
      },
      { dependsOn: [exposure, identity, ...namespaces] },
    );
    return [host.name, { identity, member, config: host }];
  }),
);

const externalServices = config.services.map((service) => {
  const serving = service.hosts.map((name) => hosts.get(name)!).filter((host) => !host.config.gone);
  const external = new ExternalService(
    `service-${service.namespace}-${service.name}`,
    {
      serviceName: service.name,
      namespace: service.namespace,
      ports: service.ports,
      endpoints: serving.map(({ config: { address, serviceAccount, labels } }) => ({
        address,
        serviceAccount,
        labels,
      })),
      clusterDomain: cluster.domain,
      owner,
    },
    { provider, dependsOn: [controlPlane, ...namespaces, ...serving.map(({ member }) => member)] },
  );
  return [`${service.name}.${service.namespace}`, external.url] as const;
});

if (sampleClient)
  new SampleClient("sleep", { ...sampleClient, owner }, { provider, dependsOn: [controlPlane, ...namespaces] });

/** SHA-256 of the certificate that the mesh trusts, as `openssl x509 -fingerprint -sha256` prints it. */
export const rootFingerprint = ca.rootCert.apply(fingerprint);
/** How hosts reach istiod. */
export const istiod = pulumi.interpolate`${exposure.address}:${exposure.port}`;
/** Each host's identity in the mesh, and what its last join said. */
export const meshHosts = Object.fromEntries(
  [...hosts].map(([name, { identity, member }]) => [name, { identity: identity.spiffeId, state: member.state }]),
);
/** Each service's URL for clients in the mesh. */
export const services = Object.fromEntries(externalServices);

function authorityArgs() {
  if (!("provided" in config.ca)) return config.ca;
  const { caKey, ...certificates } = config.ca.provided;
  return { provided: { ...certificates, caKey: new pulumi.Config().requireSecret(caKey.secret) } };
}
