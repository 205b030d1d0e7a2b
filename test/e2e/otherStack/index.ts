/** Another stack with the same configuration: it tries to join the first host to a mesh of its own. */
import * as random from "@pulumi/random";
import { CertificateAuthority } from "../../../components/certificateAuthority";
import { MeshHost } from "../../../components/meshHost";
import { sshConnection } from "../../../components/sshConnection";
import { WorkloadIdentity } from "../../../components/workloadIdentity";
import { loadConfig } from "../../../config";

const config = loadConfig();
const { cluster, sidecar } = config;
const [host] = config.hosts;
if (host === undefined) throw new Error("this stack needs a host");
const { namespace, serviceAccount } = host;
const workload = { namespace, serviceAccount, trustDomain: cluster.trustDomain };

const ca = new CertificateAuthority("ca");
const identity = new WorkloadIdentity("identity", { ...workload, ...ca });
new MeshHost(host.name, {
  ...workload,
  connection: sshConnection(host.address, { ...config.ssh, ...host.ssh }),
  address: host.address,
  clusterName: cluster.name,
  serviceCidr: "*",
  inboundPorts: host.inboundPorts,
  labels: {},
  istiodAddress: host.address,
  istiodPort: 22,
  identity: identity.spiffeId,
  rootCert: ca.rootCert,
  certChain: identity.certChain,
  key: identity.key,
  sidecar,
  owner: new random.RandomId("owner", { byteLength: 8 }).hex,
});
