import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { leaderOf } from "../../../lab/cgroups";
import { until } from "../../../lab/run";
import type { Breakage, Site } from "../site";

/** Where Debian's package faketime has it. */
const FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

/** Puts the clock wrong of everything that the scripts ask for the time: a `date` before the real one on their PATH. */
const skew = (vm: string, offset: string) => (site: Site) => {
  copyFileSync(FAKETIME, join(`/proc/${leaderOf(site.lab, vm)}/root`, "tmp/libfaketime.so.1"));
  const wrapper = `#!/bin/sh\nLD_PRELOAD=/tmp/libfaketime.so.1 FAKETIME='${offset}' exec /usr/bin/date \\"\\$@\\"`;
  return site.sh(
    vm,
    `printf '%b\\n' "${wrapper.replaceAll("\n", "\\n")}" >/usr/local/bin/date; chmod +x /usr/local/bin/date`,
  );
};
const unskew = (vm: string) => (site: Site) => site.sh(vm, "rm /usr/local/bin/date /tmp/libfaketime.so.1");

/** A shell script that breaks something on a VM, and one that mends it. */
const on = (vm: string, make: string, mend: string): Pick<Breakage, "make" | "mend"> => ({
  make: (site) => site.sh(vm, make),
  mend: (site) => site.sh(vm, mend),
});

const HOME = "/var/lib/istio-vm";
const LOCK = `import fcntl,time; f=open("/var/lib/dpkg/lock-frontend","w"); fcntl.lockf(f,fcntl.LOCK_EX); open("/tmp/locked","w"); time.sleep(600)`;

/** A rule that leads what is meant for istiod to the API server, which has a certificate of another CA. */
const toApiServer = async (site: Site) => `${await meantForIstiod(site)} -j DNAT --to-destination 172.30.0.10:6443`;

async function meantForIstiod(site: Site): Promise<string> {
  const path = "jsonpath={.spec.ports[?(@.port==15012)].nodePort}";
  const port = await site.kubectl("get", "service", "--namespace=istio-system", "istiod", `--output=${path}`);
  return `-p tcp -d 172.30.0.10 --dport ${port.trim()}`;
}

/** What is wrong with a host: vm2 is to be joined, vm1 is. */
export const hosts: Breakage[] = [
  {
    code: "IVM503",
    what: "a clock that is five minutes ahead",
    says: /vm2: its clock is 5 minutes ahead/,
    make: skew("vm2", "+300s"),
    mend: unskew("vm2"),
  },
  {
    code: "IVM503",
    what: "a clock that is half a minute behind",
    says: /vm2: its clock is (29|30)\.\d s behind/,
    make: skew("vm2", "-30s"),
    mend: unskew("vm2"),
  },
  {
    code: "IVM504",
    also: ["IVM503"],
    what: "a clock by which the certificates are not valid yet",
    says: /vm1: by its clock it is .* not valid before/,
    make: skew("vm1", "-30d"),
    mend: unskew("vm1"),
  },
  {
    code: "IVM505",
    also: ["IVM503"],
    what: "a clock by which the certificates have ended",
    says: /vm1: by its clock it is .* ended/,
    make: skew("vm1", "+30d"),
    mend: unskew("vm1"),
  },
  {
    code: "IVM601",
    what: "a host whose SSH server does not run",
    says: /vm2: 172\.30\.0\.22:22 refuses connections/,
    ...on("vm2", "systemctl stop ssh.socket ssh 2>/dev/null || systemctl stop ssh", "systemctl start ssh"),
  },
  {
    code: "IVM603",
    also: ["IVM723"],
    what: "a hosts file that leads elsewhere",
    says: /vm1: istiod\.istio-system\.svc resolves to 192\.0\.2\.1/,
    ...on(
      "vm1",
      "cp -p /etc/hosts /tmp/hosts; sed -i 's/^.* istiod.istio-system.svc/192.0.2.1 istiod.istio-system.svc/' /etc/hosts",
      "cat /tmp/hosts >/etc/hosts; rm /tmp/hosts",
    ),
  },
  {
    code: "IVM604",
    what: "a firewall that swallows what is meant for istiod",
    says: /vm2: it can't reach istiod at 172\.30\.0\.10, port \d+, over TCP/,
    make: async (site) => site.sh("vm2", `iptables -A OUTPUT ${await meantForIstiod(site)} -j DROP`),
    mend: async (site) => site.sh("vm2", `iptables -D OUTPUT ${await meantForIstiod(site)} -j DROP`),
  },
  {
    code: "IVM605",
    what: "another server in the place of istiod",
    says: /vm2: istiod at 172\.30\.0\.10:\d+ does not prove to be of this mesh: .*(issuer|self-signed|certificate)/,
    make: async (site) => site.sh("vm2", `iptables -t nat -A OUTPUT ${await toApiServer(site)}`),
    mend: async (site) => site.sh("vm2", `iptables -t nat -D OUTPUT ${await toApiServer(site)}`),
  },
  {
    code: "IVM609",
    what: "an inbound port that nobody serves",
    says: /vm2: nothing listens on 8080/,
    ...on("vm2", "systemctl stop app", "systemctl start app; until ss -Hltn | grep -q :8080; do :; done"),
  },
  {
    code: "IVM701",
    what: "a host that another stack has joined",
    says: /vm2: it is joined already, by the stack with owner mark 0123456789abcdef/,
    ...on("vm2", `mkdir -p ${HOME}/record; echo 0123456789abcdef >${HOME}/record/owner`, `rm -r ${HOME}`),
  },
  {
    code: "IVM702",
    what: "another sidecar that runs",
    says: /vm2: an Istio sidecar that this program did not start/,
    ...on(
      "vm2",
      "printf '[Service]\\nExecStart=/bin/sleep infinity\\n' >/etc/systemd/system/istio.service; systemctl daemon-reload; systemctl start istio",
      "systemctl stop istio; rm /etc/systemd/system/istio.service; systemctl daemon-reload",
    ),
  },
  {
    code: "IVM703",
    what: "rules of a sidecar that is gone",
    says: /vm2: it has iptables rules of an Istio sidecar that is gone/,
    ...on("vm2", "iptables -t nat -N ISTIO_OUTPUT", "iptables -t nat -X ISTIO_OUTPUT"),
  },
  {
    code: "IVM709",
    what: "nothing to fetch the package with",
    says: /vm2: it has neither curl nor wget/,
    ...on("vm2", "mv /usr/bin/curl /usr/bin/curl.away", "mv /usr/bin/curl.away /usr/bin/curl"),
  },
  {
    code: "IVM714",
    what: "a port of the sidecar that is taken",
    says: /vm2: port 15021, which the sidecar needs, is taken/,
    ...on(
      "vm2",
      "systemd-run --quiet --unit=cli-test python3 -m http.server 15021; until ss -Hltn | grep -q :15021; do :; done",
      "systemctl stop cli-test",
    ),
  },
  {
    code: "IVM715",
    what: "another address for istiod",
    says: /vm2: \/etc\/hosts has another address for istiod\.istio-system\.svc, 192\.0\.2\.1/,
    ...on(
      "vm2",
      "echo '192.0.2.1 istiod.istio-system.svc' >>/etc/hosts",
      "sed '/192.0.2.1/d' /etc/hosts >/tmp/hosts; cat /tmp/hosts >/etc/hosts; rm /tmp/hosts",
    ),
  },
  {
    code: "IVM716",
    what: "a package manager that is at work",
    says: /vm2.*python3/,
    ...on(
      "vm2",
      `systemd-run --quiet --unit=cli-test python3 -c '${LOCK}'; until [ -e /tmp/locked ]; do :; done`,
      "systemctl stop cli-test; rm /tmp/locked",
    ),
  },
  {
    code: "IVM717",
    what: "two hosts of the same name",
    says: /vm2.*vm1|vm1.*vm2/,
    ...on(
      "vm2",
      "echo 127.0.1.1 vm1 >>/etc/hosts; hostname vm1",
      "hostname vm2; sed '/127.0.1.1 vm1/d' /etc/hosts >/tmp/hosts; cat /tmp/hosts >/etc/hosts; rm /tmp/hosts",
    ),
  },
  {
    code: "IVM718",
    what: "a firewall that opens the application's port alone",
    says: /vm2: connections to inbound port 8080 come in at port 15006 .*iptables-nft -t filter -I INPUT -p tcp --dport 15006/,
    ...on(
      "vm2",
      `iptables -A INPUT -i lo -j ACCEPT; iptables -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
      iptables -A INPUT -p tcp -m multiport --dports 22,8080 -j ACCEPT; iptables -P INPUT DROP`,
      "iptables -P INPUT ACCEPT; iptables -F INPUT",
    ),
  },
  {
    code: "IVM721",
    what: "a join that was cut off",
    says: /vm1/,
    ...on("vm1", `cp ${HOME}/state ${HOME}/joining`, `rm ${HOME}/joining`),
  },
  {
    code: "IVM722",
    also: ["IVM723", "IVM724"],
    // The application answers plainly then, which the pod's sidecar does not understand.
    may: ["IVM607"],
    what: "a sidecar that does not run",
    says: /vm1/,
    make: (site) => site.sh("vm1", "systemctl stop istio"),
    mend: async (site) => {
      await site.sh("vm1", "systemctl start istio");
      await until("vm1 to be well again", 60, async () => (await site.findings()).length === 0);
    },
  },
  {
    code: "IVM723",
    what: "a program of the package that was replaced",
    says: /vm1.*package/,
    ...on("vm1", "touch /usr/local/bin/istio-start.sh", "touch -d 2026-01-01 /usr/local/bin/istio-start.sh"),
  },
  {
    code: "IVM723",
    what: "a file that was changed by hand",
    says: /vm1.*sidecar\.env/,
    ...on(
      "vm1",
      "cp -p /var/lib/istio/envoy/sidecar.env /tmp/; echo ISTIO_META_EXTRA=1 >>/var/lib/istio/envoy/sidecar.env",
      "mv /tmp/sidecar.env /var/lib/istio/envoy/sidecar.env",
    ),
  },
  {
    code: "IVM725",
    what: "a hosts file that nobody may write",
    says: /vm2: it can't write \/etc\/hosts: immutable: chattr -i \/etc\/hosts/,
    ...on("vm2", "chattr +i /etc/hosts", "chattr -i /etc/hosts"),
  },
  {
    code: "IVM726",
    what: "a hosts file that is made anew at each boot, on a host that is joined",
    says: /vm1: systemd-tmpfiles rewrites \/etc\/hosts at each boot/,
    ...on("vm1", "echo 'f+ /etc/hosts - - - - x' >/etc/tmpfiles.d/hosts.conf", "rm /etc/tmpfiles.d/hosts.conf"),
  },
  {
    code: "IVM727",
    what: "certificates of another program",
    says: /vm2: \/etc\/certs, which becomes the sidecar's, is www-data's/,
    ...on("vm2", "install -d -m 700 -o www-data /etc/certs", "rmdir /etc/certs"),
  },
  {
    code: "IVM728",
    what: "a sudo that wants a terminal of root",
    says: /vm2: root can't start the sidecar as istio-proxy by sudo/,
    ...on(
      "vm2",
      "echo 'Defaults:root requiretty' >/etc/sudoers.d/zy; chmod 440 /etc/sudoers.d/zy",
      "rm /etc/sudoers.d/zy",
    ),
  },
];
