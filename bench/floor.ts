/** The least that joining by hand takes: no checks, no record, nothing confirmed. */
import type { Host } from "../test/host/host";

/** One script for root, which does what our join does in the end, with the same package, files and certificates. */
export function floorScript({ commands: { state, certificates } }: Host): string {
  const facts = (key: string) => [...state.matchAll(new RegExp(`^${key} (.*)$`, "gm"))].map(([, value]) => value!);
  const [, , digest, url] = facts("package")[0]!.split(" ");
  const write = (path: string, content: string) => `cat >${path} <<'END_OF_FILE'\n${content.trimEnd()}\nEND_OF_FILE`;
  return `set -eu
curl -fsSLo /var/tmp/istio-sidecar.deb ${url}
echo '${digest}  /var/tmp/istio-sidecar.deb' | sha256sum --check --quiet
dpkg -i /var/tmp/istio-sidecar.deb
mkdir -p /etc/certs
${Object.entries(certificates)
  .map(([name, content]) => write(`/etc/certs/${name}`, content))
  .join("\n")}
${write("/var/lib/istio/envoy/cluster.env", facts("cluster.env").join("\n"))}
${write("/var/lib/istio/envoy/sidecar.env", facts("sidecar.env").join("\n"))}
echo '${facts("hosts").join("\n")}' >>/etc/hosts
chown -R istio-proxy:istio-proxy /etc/certs /var/lib/istio
systemctl enable --now istio.service
until curl -sf -o /dev/null http://127.0.0.1:15021/healthz/ready; do sleep 0.2; done
`;
}
