import { HEAL } from "../advice";
import { installationOf } from "../../config";
import type { Code } from "../../mesh/codes";
import { RESERVED_VARIABLES } from "../../mesh/environment";
import { isAvailable } from "../facts";
import { type Check, error, ofHosts, ofJoined, ok, skipped, warning, wasInspected, hostConfig } from "./check";

type Words = Pick<Check, "title" | "why" | "fix"> & {
  /** Only where the address of istiod is known, that is after the first update. */
  needsIstiod?: boolean;
};

/** A check that the host makes itself, before a join and for doctor alike (host/check.sh). */
export function fromHost(code: Code, { needsIstiod = false, ...words }: Words): Check {
  return {
    code,
    ...words,
    evaluate: ofHosts(({ name, inspection: { findings } }, { outputs }) => {
      if (needsIstiod && outputs === undefined) return skipped("istiod's address is not known yet");
      const found = findings.filter((finding) => finding.code === code);
      return found.length === 0 ? ok() : found.flatMap(({ message }) => error(`${name}: ${message}`));
    }),
  };
}

export const hosts: Check[] = [
  fromHost("IVM701", {
    title: "no other stack has joined it",
    why: "A host is in one mesh at a time; what another stack recorded there must not be lost.",
    fix: "destroy that stack, or remove the host from it",
  }),
  fromHost("IVM702", {
    title: "no other sidecar runs",
    why: "A sidecar that was set up by hand holds the ports and the iptables rules.",
    fix: "adopt: true on the host, and the join takes over what was done by hand, and leave gives it back (docs/host.md); or systemctl disable --now istio",
  }),
  fromHost("IVM703", {
    title: "no rule of an earlier mesh is left",
    why: "Rules that lead to a sidecar that is gone cut off every connection that they catch.",
    fix: "iptables -t nat -S | grep ISTIO_; delete the jumps to these chains (-D), then empty and delete the chains (-F, -X), and no rule that only mentions Istio; docs/host.md has the loop",
  }),
  fromHost("IVM704", {
    title: "the architecture is supported",
    why: "Istio's sidecar is built for x86_64 and aarch64.",
    fix: "use another machine",
  }),
  fromHost("IVM705", {
    title: "systemd runs",
    why: "The sidecar is a unit of systemd, and so is the timer that undoes a change that nobody confirmed.",
    fix: "boot the machine with systemd",
  }),
  fromHost("IVM706", {
    title: "dpkg or rpm is there",
    why: "The sidecar comes as a package for either.",
    fix: "use Debian, Ubuntu, or a distribution with rpm and dnf or yum",
  }),
  fromHost("IVM707", {
    title: "the C library is glibc",
    why: "Envoy is linked against glibc.",
    fix: "use a distribution with glibc",
  }),
  fromHost("IVM708", {
    title: "the tools that join needs are there",
    why: "Join installs nothing but the sidecar itself.",
    fix: "apt-get install bash iproute2 iptables sudo hostname util-linux, or dnf install bash iproute iptables sudo hostname util-linux; root needs no sudo to join, but the sidecar's own istio-start.sh does",
  }),
  fromHost("IVM709", {
    title: "something can fetch the package",
    why: "Join fetches the package with curl or wget.",
    fix: "apt-get install curl, dnf install curl, or give the package as a file",
  }),
  fromHost("IVM710", {
    title: "iptables reaches the kernel",
    why: "The sidecar redirects traffic by the nat table, with whichever iptables (nft or legacy) the kernel serves.",
    fix: "iptables -t nat -S; update-alternatives --config iptables",
  }),
  fromHost("IVM711", {
    title: "names resolve",
    why: "A host that can't resolve its own name has a broken resolver, and join would be blamed for it.",
    fix: "check /etc/hosts and /etc/nsswitch.conf",
  }),
  fromHost("IVM712", {
    title: "there is room on its disk",
    why: "The package, its predecessor and the record need 400 MB.",
    fix: "make room: df -h /usr /var /etc",
  }),
  fromHost("IVM713", {
    title: "the SSH port is not intercepted",
    why: "A sidecar in front of SSH locks everybody out.",
    fix: "take the port off inboundPorts",
  }),
  fromHost("IVM714", {
    title: "the sidecar's ports are free",
    why: "Envoy and the agent listen on fixed ports, 15000 to 15090.",
    fix: "ss -Hltnp, and stop what listens there",
  }),
  fromHost("IVM715", {
    title: "no other entry names istiod",
    why: "An older line of /etc/hosts wins, and the sidecar knocks at a wrong address.",
    fix: "remove that line of /etc/hosts",
  }),
  {
    code: "IVM716",
    title: "the package manager is free",
    why: "Join waits two minutes for its lock, then gives up.",
    fix: "wait for it to end",
    evaluate: ofHosts(({ name, inspection: { packageManagerHeldBy: holder } }) =>
      holder === undefined ? ok() : warning(`${name}: the package manager is at work: ${holder}`),
    ),
  },
  {
    code: "IVM717",
    title: "each host is a machine of its own",
    why: "Two names for one machine join it twice; machines cloned with their machine-id confuse DHCP and the journal.",
    fix: "correct hosts[].address; on a clone: rm -f /var/lib/dbus/machine-id; systemd-id128 new >/etc/machine-id, and reboot",
    evaluate: ofHosts((host, { hosts }) => {
      const { name, inspection } = host;
      const { machineId, hostname } = inspection;
      // A pair is reported once, at the later one.
      const earlier = hosts.slice(0, hosts.indexOf(host)).filter(wasInspected);
      const twin = earlier.find((other) => machineId !== "" && other.inspection.machineId === machineId);
      if (twin !== undefined) return error(`${name}: it has the same machine-id as ${twin.name}`);
      const namesake = earlier.find((other) => hostname !== "" && other.inspection.hostname === hostname);
      return namesake === undefined
        ? ok(hostname)
        : warning(
            `${name}: it calls itself ${hostname}, as ${namesake.name} does`,
            "on one of them: hostnamectl set-hostname NAME",
          );
    }),
  },
  fromHost("IVM718", {
    title: "its firewall lets the sidecar's traffic through",
    why: "Once the sidecar runs, what is meant for an inbound port comes to the chains that filter it with port 15006, and what the host sends to the mesh with 15001. A rule set that drops by default and opens only the application's port drops both. Port 15006 itself serves nobody: Envoy closes what was not redirected there. But who may reach it reaches all inbound ports: a rule that opens the application's port to some addresses alone is to be repeated with them; and with inboundPorts \"*\" these are all ports but SSH's, so let iptables open those that are meant (-m conntrack --ctorigdstport PORT).",
    fix: "what the finding says, in the words of the tool that made the rules: ufw allow 15006/tcp; iptables -I INPUT -p tcp --dport 15006 -j ACCEPT; nft insert rule inet filter input tcp dport 15006 accept. Then keep it where the rules are kept (netfilter-persistent save, /etc/nftables.conf)",
  }),
  {
    code: "IVM719",
    title: "the resolver does not lead back to the sidecar",
    why: "With DNS capture the sidecar asks the host's nameservers; one that is itself captured is asked for ever.",
    fix: "remove ISTIO_META_DNS_CAPTURE from the host's environment, or name real nameservers in /etc/resolv.conf",
    evaluate: ofHosts(({ name, inspection: { nameservers } }, { config }) => {
      const { environment } = hostConfig(config, name);
      // systemd-resolved asks its own upstream servers, whom the sidecar does not capture.
      const local = nameservers.filter((server) => /^127\.|^::1$/.test(server) && server !== "127.0.0.53");
      return environment.ISTIO_META_DNS_CAPTURE !== "true" || local.length === 0
        ? ok(nameservers.join(", "))
        : warning(`${name}: DNS capture is on, and /etc/resolv.conf asks ${local.join(", ")}`);
    }),
  },
  {
    code: "IVM720",
    title: "the sidecar is of istiod's version",
    why: "Istio supports a data plane that is up to two minor versions older than istiod, and none that is newer.",
    fix: "set sidecar to the package of istiod's version and pulumi up",
    evaluate: ofJoined((_joined, { name, inspection: { sidecar } }, { config, outputs, cluster }) => {
      const revision = outputs?.meshHosts[name]?.revision ?? "";
      // An existing control plane may have been upgraded since the last update of the stack.
      const existing = isAvailable(cluster) && isAvailable(cluster.existing) ? cluster.existing : undefined;
      const now = existing !== undefined && "versions" in existing ? existing.versions[revision] : undefined;
      const version = now ?? outputs?.controlPlanes[revision]?.version ?? installationOf(config)?.version;
      if (version === undefined) return skipped("istiod's version is not known yet");
      if (sidecar === undefined) return skipped(`${name} has no package istio-sidecar`);
      const minor = (version: string) => Number(/^\d+\.(\d+)/.exec(version)?.[1]);
      const older = minor(version) - minor(sidecar);
      if (Number.isNaN(older)) return skipped(`istiod's version, ${version}, says nothing`);
      return older >= 0 && older <= 2
        ? ok(sidecar)
        : error(`${name}: its sidecar is of version ${sidecar}, istiod of ${version}`);
    }),
  },
  {
    code: "IVM721",
    title: "no join was cut off",
    why: "A join that was interrupted is finished by the next update, or undone by the host's own timer.",
    fix: "pulumi up",
    evaluate: ofJoined(({ unfinished }, { name }) =>
      unfinished ? error(`${name}: a join was cut off before its end`) : ok(),
    ),
  },
  {
    code: "IVM722",
    title: "the sidecar is ready",
    why: "A sidecar that is not ready has no configuration from istiod.",
    fix: "npx istio-vm explain; npx istio-vm logs HOST",
    evaluate: ofJoined(({ ready }, { name }) => (ready ? ok() : error(`${name}: its sidecar is not ready`))),
  },
  {
    code: "IVM723",
    title: "nothing was changed by hand",
    why: "What differs from what was joined is lost at the next join, or breaks the sidecar at its next start.",
    fix: `on the host: sudo /var/lib/istio-vm/bin/istio-vm status; then ${HEAL}`,
    evaluate: ofJoined(({ drift }, { name }) =>
      drift.length === 0 ? ok() : warning(`${name}: not as it was joined: ${drift.join(", ")}`),
    ),
  },
  {
    code: "IVM724",
    title: "the sidecar is in touch with istiod",
    why: "Without a stream of configuration a host learns of no new service, and its certificate ends in a day.",
    fix: "npx istio-vm explain",
    evaluate: ofJoined(({ connected, configured }, { name }) => {
      if (connected) return ok();
      const last = configured === undefined ? "" : `; its last configuration came ${configured.toISOString()}`;
      return error(`${name}: it is not connected to istiod${last}`);
    }),
  },
  fromHost("IVM725", {
    title: "join can write where it must",
    why: "A read-only or immutable file or folder, or a file system from which nothing can be run, would end the join half way.",
    fix: "mount -o remount,rw FOLDER; lsattr -d PATH, chattr -i PATH",
  }),
  fromHost("IVM726", {
    title: "/etc/hosts outlasts a boot",
    why: "Join writes istiod's address there. Where something makes the file anew at each boot, as cloud-init does with manage_etc_hosts, the sidecar finds istiod until then and no longer.",
    fix: "manage_etc_hosts: false, in /etc/cloud/cloud.cfg.d/zz-hosts.cfg, or in the user-data if that sets it; or put the lines into /etc/cloud/templates/hosts.debian.tmpl as well",
  }),
  fromHost("IVM727", {
    title: "the sidecar's folders are nobody else's",
    why: "/etc/certs and /var/lib/istio/envoy become the sidecar's: another program that has its keys there would lose access to them.",
    fix: "move what is there elsewhere, with the program that uses it",
  }),
  fromHost("IVM728", {
    title: "root may use sudo to run the sidecar",
    why: "istio-start.sh starts the sidecar as istio-proxy by sudo, from a unit, that is without a terminal. Where sudoers forbids that (requiretty, no rule for root), nothing starts, and nothing says why.",
    fix: "printf '%s\\n' 'root ALL=(ALL:ALL) NOPASSWD:SETENV: ALL' 'Defaults:root !requiretty' >/etc/sudoers.d/zz-istio-vm",
  }),
  fromHost("IVM729", {
    title: "what the host was before it joined is known",
    why: "A record that is made of a host that has joined already would be given back by leave as if it were the host's own.",
    fix: "on the host: systemctl disable --now istio; apt-get purge istio-sidecar, or rpm -e istio-sidecar; remove our lines from /etc/hosts; rm -r /etc/certs /var/lib/istio-vm; then pulumi up",
  }),
  fromHost("IVM730", {
    title: "there is a sidecar package for each host",
    why: "A host takes the package of its own package manager's format and architecture.",
    fix: "sidecar: {deb: {amd64: {url, sha256}, arm64: ...}, rpm: {amd64: ..., arm64: ...}}, with the one that is missing",
  }),
  fromHost("IVM731", {
    title: "a package that is there already can be kept",
    why: "Leave gives back the package that a host had before. Where rpm is older than 4.14, what its database has of a package can't be had.",
    fix: "rpm -e istio-sidecar",
  }),
  fromHost("IVM732", {
    title: "the sidecar would listen at the host's address",
    why: "A proxy that has addresses of both families gets listeners by IPv4 alone, unless istiod is told to serve both. The sidecar of a host whose address is IPv6 would never be ready.",
    fix: 'ISTIO_DUAL_STACK: "true" in values.pilot.env and in meshConfig.defaultConfig.proxyMetadata of Istio, where the cluster has both; or the host\'s IPv4 address',
  }),
  fromHost("IVM740", {
    title: "no inbound port is a container's",
    why: "What Docker or Podman publishes is sent on to the container (DNAT) by rules that come before the sidecar's. The sidecar never sees it, and the container gets the mutual TLS that clients of the mesh speak.",
    fix: "docker run --network host, so that the container listens on the host itself; or publish another port, or take it off inboundPorts",
  }),
  {
    code: "IVM741",
    title: "containers are known to the sidecar",
    why: "What containers send does not go through the sidecar, for it is not the host itself that sends it: services of the mesh get no mutual TLS from them, or refuse them. And what they send to an inbound port, of whomever, is taken for what comes in. Ports that they publish are theirs alone.",
    fix: "KUBE_VIRT_INTERFACES, with the names of the bridges and commas between, in the host's environment: then what containers send to the mesh goes through the sidecar; or run them with --network host",
    evaluate: ofHosts(({ name, inspection: { bridges, published } }, { config }) => {
      const { environment, inboundPorts, capture } = hostConfig(config, name);
      const known = (environment.KUBE_VIRT_INTERFACES ?? "").split(",");
      const unknown = bridges.filter((bridge) => !known.includes(bridge));
      const concerned = capture === "all" || inboundPorts.length > 0;
      if (!concerned || unknown.length === 0) return ok(bridges.join(", "));
      const ports = inboundPorts === "*" ? "any port" : `port ${inboundPorts.join(", ")}`;
      const says = [
        ...(capture === "all"
          ? [`what containers on ${unknown.join(", ")} send to the mesh does not go through the sidecar`]
          : []),
        ...(inboundPorts.length === 0
          ? []
          : [`what containers send to ${ports} of anybody is taken for what comes in`]),
        ...(published.length === 0
          ? []
          : [`what comes to the ports that they publish goes past it: ${published.join(", ")}`]),
      ];
      return warning(
        `${name}: ${says.join("; ")}`,
        `environment: {KUBE_VIRT_INTERFACES: "${bridges.join(",")}"} of ${name}, or docker run --network host`,
      );
    }),
  },
  {
    code: "IVM742",
    title: "what was set by hand stays set",
    why: "Where a sidecar that was joined by hand is taken over (adopt: true), cluster.env and sidecar.env are the stack's from then on, and mesh.yaml is empty, until the host leaves. Without ISTIO_META_AUTO_REGISTER_GROUP, for one, istiod removes the host's WorkloadEntry.",
    fix: "set what shall stay in the host's environment",
    evaluate: ofHosts(({ name, inspection: { settings } }, { config }) => {
      const { environment } = hostConfig(config, name);
      const stays = (setting: string) => setting in environment || RESERVED_VARIABLES.includes(setting);
      const lost = [...new Set(settings)].filter((setting) => !stays(setting));
      return lost.length === 0
        ? ok()
        : warning(`${name}: taking it over drops what was set by hand: ${lost.join(", ")}`);
    }),
  },
  fromHost("IVM743", {
    title: "names are looked up where the sidecar can answer",
    why: "With dns: true, what the host asks of a name server, at port 53, is led to the sidecar's agent. nss-resolve asks systemd-resolved by a socket of its own, and systemd-resolved asks no name server for cluster.local.",
    fix: "let programs ask systemd-resolved as a name server, 127.0.0.53, as Debian and Ubuntu do without libnss-resolve: in the line hosts of /etc/nsswitch.conf, dns in place of resolve",
  }),
  fromHost("IVM744", {
    title: "there is a name server whose place the sidecar can take",
    why: "With dns: true, look-ups at the servers that /etc/resolv.conf names are led to the sidecar's agent, which asks them for what it does not know.",
    fix: "a nameserver line in /etc/resolv.conf",
  }),
];
