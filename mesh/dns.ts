/**
 * Names of the mesh on a host: the agent answers look-ups of services that istiod has told it of, and asks the host's own
 * name servers for all else. No file of the host's resolver is changed: look-ups are led to the agent by rules of iptables,
 * which are there only while it answers (host/dns.sh).
 */

/** The unit that leads look-ups to the agent. */
export const DNS_UNIT = "/etc/systemd/system/istio-vm-dns.service";
export const DNS_UNIT_LINES = [
  "[Unit]",
  "Description=pulumi-istio-vm: look-ups of names go to the sidecar while it answers",
  "StartLimitIntervalSec=0",
  "[Service]",
  "ExecStart=/var/lib/istio-vm/bin/istio-vm dns",
  "ExecStopPost=/var/lib/istio-vm/bin/istio-vm dns-off",
  "Restart=always",
  "RestartSec=1",
  "RuntimeDirectory=istio-vm-dns",
  "RuntimeDirectoryPreserve=restart",
  "[Install]",
  "WantedBy=multi-user.target",
];

/** Variables by which Istio itself would lead look-ups to the agent. */
export const DNS_VARIABLES: readonly string[] = ["ISTIO_META_DNS_CAPTURE", "REDIRECT_DNS", "DNS_PROXY_ADDR"];

/**
 * What istiod has as addresses of services that have none (pilot/pkg/controllers/ipallocate): with names known, programs
 * send something there.
 */
const ALLOCATED = { 4: "240.240.0.0/16", 6: "2001:2::/48" };

/** These ranges and those, as far as they have the same kinds of addresses. */
export function withAllocated(serviceCidr: string): string {
  if (serviceCidr === "*") return serviceCidr;
  const ranges = serviceCidr.split(",");
  const kinds = new Set(ranges.map((range) => (range.includes(":") ? 6 : 4)));
  return [...ranges, ...([4, 6] as const).filter((kind) => kinds.has(kind)).map((kind) => ALLOCATED[kind])].join(",");
}
