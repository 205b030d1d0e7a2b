/** Another stack with the same configuration: it tries to join the hosts to a mesh of its own. */
import * as random from "@pulumi/random";
import { CertificateAuthority } from "../../../components/certificateAuthority";
import { MeshHost, type SidecarPackage } from "../../../components/meshHost";
import { sshConnection } from "../../../ssh/connection";
import { WorkloadIdentity } from "../../../components/workloadIdentity";
import { loadConfig } from "../../../config/stackConfig";

const config = loadConfig();
const { cluster, sidecar } = config;
const owner = new random.RandomId("owner", { byteLength: 8 }).hex;
const ca = new CertificateAuthority("ca");

for (const host of config.hosts) {
  const { name, address, namespace, serviceAccount, inboundPorts } = host;
  const workload = { namespace, serviceAccount, trustDomain: cluster.trustDomain! };
  const identity = new WorkloadIdentity(`${name}-identity`, { ...workload, ...ca });
  new MeshHost(name, {
    ...workload,
    connection: sshConnection(host.ssh),
    address,
    clusterName: cluster.name!,
    serviceCidr: "*",
    inboundPorts,
    labels: {},
    // No istiod, but something that answers: it is not reached before the owner is found out.
    istiod: { addresses: [address], port: 22, name: "istiod.istio-system.svc" },
    identity: identity.spiffeId,
    rootCert: ca.rootCert,
    proof: identity,
    sidecar: sidecar.map(({ source, ...each }) => ({ ...each, ...source })) as SidecarPackage[],
    owner,
  });
}
