/** A host that somebody joined by hand, by Istio's own guide for virtual machines. */
import { until } from "../../lab/run";
import { bridge } from "../../lab/paths";
import { kubectl } from "../e2e/mesh";
import type { Snapshot } from "../support/snapshot";
import type { Host } from "./host";

/** A machine, as far as one needs it here. */
export type Machine = Pick<Host, "name" | "sh" | "snapshot">;

/** What somebody knew who followed the guide. */
export interface Guide {
  istiod: { address: string; port: string | number };
  rootCert: string;
  namespace: string;
  serviceAccount: string;
  /** How it proves who it is when it comes for the first time. Default: by a token. */
  certificates?: Record<string, string>;
}

/** The state that takes such a host over: what `adopt: true` adds to it (mesh/hostState.ts). */
export const adopted = (state: string) =>
  `${state.replace(/^(file 0600 .*)$/m, "$1\nfile 0644 /etc/istio/config/mesh lines:mesh restart")}\nadopt yes`;

/** What the stack says of that host, done by hand. */
export function guideOf({ name: serviceAccount, commands }: Host, means: "token" | "certificates"): Guide {
  const [, port = "", address = ""] = /^istiod (\S+) \S+ (\S+)$/m.exec(commands.state)!;
  const { "root-cert.pem": rootCert = "", ...certificates } = commands.certificates;
  return {
    ...{ istiod: { address, port }, rootCert, namespace: "vm", serviceAccount },
    certificates: means === "certificates" ? certificates : undefined,
  };
}

/**
 * What the guide says, with what `istioctl x workload entry configure` makes: another version of the package than the
 * stack's, a mesh.yaml, all outbound traffic caught, and a line of /etc/hosts that is long out of date.
 */
export async function joinByHand(host: Machine, guide: Guide): Promise<void> {
  const { istiod, rootCert, namespace, serviceAccount, certificates } = guide;
  const { address, port } = istiod;
  const account = [serviceAccount, `--namespace=${namespace}`];
  const token = await kubectl("create", "token", ...account, "--audience=istio-ca", "--duration=1h");
  const put = (path: string, text: string) => `mkdir -p ${path.replace(/\/[^/]*$/, "")}
    cat >${path} <<'END_OF_FILE'
${text.trimEnd()}
END_OF_FILE`;
  await host.sh(`
    ${put("/etc/certs/root-cert.pem", rootCert)}
    ${
      certificates === undefined
        ? put("/var/run/secrets/tokens/istio-token", token)
        : Object.entries(certificates)
            .map(([name, pem]) => put(`/etc/certs/${name}`, pem))
            .join("\n")
    }
    curl -sS -o /root/istio-sidecar.deb http://${bridge.address}:8000/istio-sidecar-2.deb
    dpkg -i /root/istio-sidecar.deb >/dev/null 2>&1
    ${put(
      "/var/lib/istio/envoy/cluster.env",
      `CANONICAL_REVISION='latest'
CANONICAL_SERVICE='vmhttp'
ISTIO_INBOUND_PORTS='8080'
ISTIO_LOCAL_EXCLUDE_PORTS='22,15090,15021,15020'
ISTIO_METAJSON_LABELS='{"app":"vmhttp","service.istio.io/canonical-name":"vmhttp","service.istio.io/canonical-revision":"latest"}'
ISTIO_META_CLUSTER_ID='Kubernetes'
ISTIO_META_DNS_CAPTURE='true'
ISTIO_META_MESH_ID='cluster.local'
ISTIO_META_WORKLOAD_NAME='vmhttp'
ISTIO_NAMESPACE='${namespace}'
ISTIO_SERVICE='vmhttp.${namespace}'
ISTIO_SERVICE_CIDR='*'
POD_NAMESPACE='${namespace}'
SERVICE_ACCOUNT='${serviceAccount}'
TRUST_DOMAIN='cluster.local'`,
    )}
    printf 'ISTIO_PILOT_PORT=${port}\\n' >>/var/lib/istio/envoy/sidecar.env
    ${put(
      "/etc/istio/config/mesh",
      `defaultConfig:
  discoveryAddress: istiod.istio-system.svc:${port}
  proxyMetadata:
    ISTIO_META_WORKLOAD_NAME: vmhttp
  terminationDrainDuration: 7s`,
    )}
    printf '${address} istiod.istio-system.svc\\n192.0.2.1\\tistiod.istio-system.svc # the old gateway\\n' >>/etc/hosts
    mkdir -p /etc/istio/proxy /var/run/secrets
    chown -R istio-proxy /var/lib/istio /etc/certs /etc/istio/proxy /etc/istio/config /var/run/secrets
    systemctl start istio`);
  await untilReady(host);
}

export const untilReady = (host: Machine) =>
  until(
    `the sidecar of ${host.name} to be ready`,
    60,
    async () => (await host.sh("curl -s -o /dev/null -w '%{http_code}' localhost:15021/healthz/ready || :")) === "200",
  );

/** What a sidecar makes anew whenever it starts. */
const ITS_OWN =
  /^\/(etc\/certs\/(cert-chain|key|root-cert)\.pem|(etc|var\/lib)\/istio\/proxy(\/.*)?|run\/secrets\/workload-spiffe.*)$/;

/** What the host looks like, but for what any start of its sidecar changes. */
export async function snapshotBeside(host: Machine): Promise<Snapshot> {
  const all = await host.snapshot();
  return new Map([...all].filter(([thing]) => !ITS_OWN.test(thing)));
}
