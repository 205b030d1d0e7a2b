import { about, error, warning } from "../../../../diagnosis/checks/check";
import type { Facts } from "../../../../diagnosis/facts";
import type { Inspection, Joined } from "../../../../diagnosis/inspection";
import { type Case, testChecks } from "./cases";
import { clusterOf, existingFacts, freshFacts, inspectionOf, joinedOf } from "./facts";
import { trafficCases } from "./trafficCases";

const EXISTING = { rootCerts: "", namespaces: ["istio-system"], rootNamespaces: ["istio-system"] };

/** What the host itself finds (host/check.sh), on a host that is yet to join. */
const found = (code: string, message: string): Case[] => [
  {
    when: message,
    in: freshFacts,
    break: (facts) => inspectionOf(facts).findings.push({ code, message }),
    finds: about("vm1", error(`vm1: ${message}`)),
  },
];

const onVm2 = (change: (inspection: Inspection) => unknown) => (facts: Facts) => change(inspectionOf(facts, "vm2"));
const joined = (change: Partial<Joined>) => (facts: Facts) => Object.assign(joinedOf(facts, "vm2"), change);

testChecks("hosts", {
  IVM701: found("IVM701", "it is joined already, by the stack with owner mark fedcba9876543210"),
  IVM702: found("IVM702", "an Istio sidecar that this program did not start is running"),
  IVM703: found("IVM703", "it has iptables rules of an Istio sidecar that is gone"),
  IVM704: found("IVM704", "its architecture is riscv64: Istio's sidecar needs x86_64 or aarch64"),
  IVM705: found("IVM705", "it was not booted by systemd, which runs the sidecar"),
  IVM706: found("IVM706", "it has no dpkg: only Debian and Ubuntu are supported"),
  IVM707: found("IVM707", "its C library is not glibc, which Envoy needs"),
  IVM708: found("IVM708", "it lacks ip iptables: apt-get install bash iproute2 iptables sudo hostname util-linux"),
  IVM709: found("IVM709", "it has neither curl nor wget to fetch the package"),
  IVM710: found("IVM710", "iptables can't reach the kernel's nat table: Permission denied"),
  IVM711: found("IVM711", "it can't resolve even its own name"),
  IVM712: [
    ...found("IVM712", "/usr has 12 MB free: the sidecar needs 400"),
    {
      when: "two folders of two hosts have no room",
      break: (facts) => {
        for (const name of ["vm1", "vm2"]) {
          const messages = ["/usr has 1 MB free", "/var has 2 MB free"];
          inspectionOf(facts, name).findings = messages.map((message) => ({ code: "IVM712", message }));
        }
      },
      finds: ["vm1", "vm2"].flatMap((name) =>
        about(name, [...error(`${name}: /usr has 1 MB free`), ...error(`${name}: /var has 2 MB free`)]),
      ),
    },
  ],
  IVM713: found("IVM713", "inboundPorts has 2222, the port of this very SSH session: it would lock you out"),
  IVM714: found("IVM714", "port 15001, which the sidecar needs, is taken: 0.0.0.0:15001"),
  IVM715: found("IVM715", "/etc/hosts has another address for istiod.istio-system.svc, 192.0.2.1: remove that line"),
  IVM716: [
    {
      when: "the package manager is at work",
      break: onVm2((inspection) => (inspection.packageManagerHeldBy = "/usr/bin/python3 /usr/bin/unattended-upgrade")),
      finds: about("vm2", warning("vm2: the package manager is at work: /usr/bin/python3 /usr/bin/unattended-upgrade")),
    },
  ],
  IVM717: [
    {
      when: "two hosts are one machine",
      break: onVm2((inspection) => (inspection.machineId = "machine-of-vm1")),
      finds: about("vm2", error("vm2: it has the same machine-id as vm1")),
    },
    {
      when: "two hosts have one name",
      break: onVm2((inspection) => (inspection.hostname = "vm1")),
      finds: about(
        "vm2",
        warning("vm2: it calls itself vm1, as vm1 does", "on one of them: hostnamectl set-hostname NAME"),
      ),
    },
    {
      when: "two hosts tell neither name nor machine-id",
      break: (facts) => {
        for (const name of ["vm1", "vm2"]) Object.assign(inspectionOf(facts, name), { hostname: "", machineId: "" });
      },
      finds: [],
    },
  ],
  IVM718: found(
    "IVM718",
    "connections to inbound port 8080 come in at port 15006 once the sidecar runs, and its firewall refuses them there (iptables-nft, table filter, chain INPUT: policy drop): ufw allow 15006/tcp",
  ),
  IVM719: [
    {
      when: "DNS capture is on, and the nameserver is local",
      break: (facts) => {
        facts.config!.hosts[1]!.environment.ISTIO_META_DNS_CAPTURE = "true";
        inspectionOf(facts, "vm2").nameservers = ["127.0.0.1", "192.0.2.53"];
      },
      finds: about("vm2", warning("vm2: DNS capture is on, and /etc/resolv.conf asks 127.0.0.1")),
    },
    {
      when: "DNS capture is on, and the nameserver is not local",
      break: (facts) => (facts.config!.hosts[1]!.environment.ISTIO_META_DNS_CAPTURE = "true"),
      finds: [],
    },
    {
      when: "DNS capture is on, and the nameserver is systemd-resolved",
      break: (facts) => {
        facts.config!.hosts[1]!.environment.ISTIO_META_DNS_CAPTURE = "true";
        inspectionOf(facts, "vm2").nameservers = ["127.0.0.53"];
      },
      finds: [],
    },
    {
      when: "the nameserver is local, and DNS capture is off",
      break: (facts) => {
        facts.config!.hosts[1]!.environment.ISTIO_META_DNS_CAPTURE = "false";
        inspectionOf(facts, "vm2").nameservers = ["::1"];
      },
      finds: [],
    },
  ],
  IVM720: [
    { when: "the sidecar is two versions older", break: onVm2((of) => (of.sidecar = "1.29.7")), finds: [] },
    {
      when: "the sidecar is three versions older",
      break: onVm2((of) => (of.sidecar = "1.28.0")),
      finds: about("vm2", error("vm2: its sidecar is of version 1.28.0, istiod of 1.31.0")),
    },
    {
      when: "the sidecar is newer",
      break: onVm2((of) => (of.sidecar = "1.32.0")),
      finds: about("vm2", error("vm2: its sidecar is of version 1.32.0, istiod of 1.31.0")),
    },
    {
      when: "an existing istiod was upgraded since the last update of the stack",
      in: existingFacts,
      break: (facts) => (clusterOf(facts).existing = { ...EXISTING, versions: { default: "1.34.0" } }),
      finds: ["vm1", "vm2"].flatMap((name) =>
        about(name, error(`${name}: its sidecar is of version 1.31.0, istiod of 1.34.0`)),
      ),
    },
    {
      when: "an old package lies on a host that is yet to join, which replaces it",
      in: freshFacts,
      break: onVm2((of) => (of.sidecar = "1.10.0")),
      finds: [],
    },
  ],
  IVM721: [
    {
      when: "a join was cut off",
      break: joined({ unfinished: true }),
      finds: about("vm2", error("vm2: a join was cut off before its end")),
    },
  ],
  IVM722: [
    {
      when: "the sidecar is not ready",
      break: joined({ ready: false }),
      finds: about("vm2", error("vm2: its sidecar is not ready")),
    },
    {
      when: "Envoy is down",
      break: joined({ ready: false, connected: false, configured: undefined }),
      finds: about("vm2", error("vm2: its sidecar is not ready")),
      also: { IVM724: "nothing is connected" },
    },
  ],
  IVM723: [
    {
      when: "files were changed by hand",
      break: joined({ drift: ["cluster.env", "hosts"] }),
      finds: about("vm2", warning("vm2: not as it was joined: cluster.env, hosts")),
    },
    {
      when: "a certificate was removed by hand",
      break: joined({ certChain: undefined, rootCert: undefined, drift: ["certificate"] }),
      finds: about("vm2", warning("vm2: not as it was joined: certificate")),
    },
  ],
  IVM724: [
    {
      when: "the sidecar lost istiod",
      break: joined({ connected: false }),
      finds: about(
        "vm2",
        error("vm2: it is not connected to istiod; its last configuration came 2026-06-01T11:00:00.000Z"),
      ),
    },
    {
      when: "the sidecar never found istiod",
      break: joined({ connected: false, configured: undefined }),
      finds: about("vm2", error("vm2: it is not connected to istiod")),
    },
  ],
  IVM725: found("IVM725", "it can't write /etc/hosts: immutable: chattr -i /etc/hosts"),
  IVM726: found("IVM726", "cloud-init rewrites /etc/hosts at each boot (manage_etc_hosts in /etc/cloud/cloud.cfg)"),
  IVM727: found("IVM727", "/etc/certs, which becomes the sidecar's, is www-data's"),
  IVM728: found(
    "IVM728",
    "root can't start the sidecar as istio-proxy by sudo: sudo: sorry, you must have a tty to run sudo",
  ),
  IVM729: found(
    "IVM729",
    "it was joined by this program (/etc/hosts has its lines), but the record of what it was is gone",
  ),
  IVM730: found("IVM730", "sidecar has no rpm for arm64: add sidecar.rpm.arm64"),
  IVM731: found("IVM731", "the istio-sidecar that is there, 1.30.0-1, can't be kept"),
  IVM732: found("IVM732", "its address in the mesh is IPv6, fd00::21, and it has IPv4 as well (10.0.0.21/24 of eth0)"),
  IVM740: found("IVM740", "inbound port 8080 is sent on to a container before the sidecar sees it"),
  IVM741: [
    {
      when: "there are containers",
      break: onVm2((inspection) =>
        Object.assign(inspection, { bridges: ["docker0", "br-20a44343e964"], published: ["443", "18000-18002"] }),
      ),
      finds: about(
        "vm2",
        warning(
          "vm2: what containers on docker0, br-20a44343e964 send to the mesh does not go through the sidecar; what containers send to port 8080 of anybody is taken for what comes in; what comes to the ports that they publish goes past it: 443, 18000-18002",
          'environment: {KUBE_VIRT_INTERFACES: "docker0,br-20a44343e964"} of vm2, or docker run --network host',
        ),
      ),
    },
    {
      when: "the sidecar knows some of them",
      break: (facts) => {
        inspectionOf(facts, "vm2").bridges = ["docker0", "podman0"];
        const vm2 = facts.config!.hosts.find(({ name }) => name === "vm2")!;
        Object.assign(vm2, { environment: { KUBE_VIRT_INTERFACES: "docker0" }, inboundPorts: [] });
      },
      finds: about(
        "vm2",
        warning(
          "vm2: what containers on podman0 send to the mesh does not go through the sidecar",
          'environment: {KUBE_VIRT_INTERFACES: "docker0,podman0"} of vm2, or docker run --network host',
        ),
      ),
    },
    {
      when: "the sidecar takes what comes in alone",
      break: (facts) => {
        inspectionOf(facts, "vm2").bridges = ["docker0"];
        facts.config!.hosts.find(({ name }) => name === "vm2")!.capture = "inbound";
      },
      finds: about(
        "vm2",
        warning(
          "vm2: what containers send to port 8080 of anybody is taken for what comes in",
          'environment: {KUBE_VIRT_INTERFACES: "docker0"} of vm2, or docker run --network host',
        ),
      ),
    },
    {
      when: "the sidecar takes nothing",
      break: (facts) => {
        inspectionOf(facts, "vm2").bridges = ["docker0"];
        const vm2 = facts.config!.hosts.find(({ name }) => name === "vm2")!;
        Object.assign(vm2, { capture: "none", inboundPorts: [] });
      },
      finds: [],
    },
    {
      when: "the sidecar knows all of them",
      break: (facts) => {
        inspectionOf(facts, "vm2").bridges = ["docker0"];
        facts.config!.hosts.find(({ name }) => name === "vm2")!.environment = { KUBE_VIRT_INTERFACES: "docker0" };
      },
      finds: [],
    },
  ],
  IVM742: [
    {
      when: "more was set by hand than the stack sets",
      break: (facts) => {
        const names = ["ISTIO_INBOUND_PORTS", "ISTIO_META_DNS_CAPTURE", "ISTIO_META_AUTO_REGISTER_GROUP"];
        inspectionOf(facts, "vm2").settings = [...names, ...names, "/etc/istio/config/mesh"];
        const vm2 = facts.config!.hosts.find(({ name }) => name === "vm2")!;
        vm2.environment = { ISTIO_META_DNS_CAPTURE: "true" };
      },
      finds: about(
        "vm2",
        warning(
          "vm2: taking it over drops what was set by hand: ISTIO_META_AUTO_REGISTER_GROUP, /etc/istio/config/mesh",
          "set what shall stay in the host's environment",
        ),
      ),
    },
  ],
  IVM743: found("IVM743", "dns is true, but programs ask systemd-resolved itself for names"),
  IVM744: found("IVM744", "dns is true, but /etc/resolv.conf has no nameserver line"),
  ...trafficCases,
});
