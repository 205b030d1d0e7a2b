import assert from "node:assert/strict";
import { differences } from "../../support/snapshot";
import type { Host } from "../host";
import { mustSucceed } from "../host";
import { assertRestored } from "../restored";
import type { HostName, Mesh } from "../mesh";

/** /etc/certs is the host's own already, with odd modes and old times; so are some lines of /etc/hosts. */
const OWN_FILES = `
  install -d -m 0751 /etc/certs
  echo mine >/etc/certs/root-cert.pem
  chmod 0604 /etc/certs/root-cert.pem
  echo 'a key of another program' >/etc/certs/key.pem
  chmod 0400 /etc/certs/key.pem
  chown admin /etc/certs/key.pem
  touch -d '2001-02-03 04:05:06.789' /etc/certs/root-cert.pem /etc/certs/key.pem
  touch -d '2002-02-03 04:05:06' /etc/certs
  printf '# mine\\n192.0.2.7\\tdatabase  # with a tab\\n\\n192.0.2.8 no-newline-at-the-end' >>/etc/hosts
  touch -d '2003-02-03 04:05:06' /etc/hosts
  chmod 0664 /etc/hosts`;

/** Another version of the package, its user with another shell, and a file of the operator's. */
const ownPackage = (host: Host, { format, install } = host.packages) => `
  groupadd --gid 4321 istio-proxy
  useradd --uid 4321 --gid 4321 --home-dir /srv/istio --shell /bin/bash istio-proxy
  curl -sS -o /tmp/other.${format} ${host.packageUrl("-2")}
  ${install(`/tmp/other.${format}`)}
  rm /tmp/other.${format}
  echo 'ISTIO_SERVICE_CIDR=192.0.2.0/24' >/var/lib/istio/envoy/cluster.env
  touch -d '2004-02-03 04:05:06' /var/lib/istio/envoy/cluster.env
  mkdir -p /etc/systemd/system/multi-user.target.wants
  ln -s /lib/systemd/system/istio.service /etc/systemd/system/multi-user.target.wants/istio.service
  systemctl daemon-reload`;

const PREPARED: [what: string, script: (host: Host) => string][] = [
  ["a bare host", () => ":"],
  ["a host with certificates and hosts lines of its own", () => OWN_FILES],
  ["a host with the package in another version, its user and its unit, not running", ownPackage],
];

export function restoring(mesh: Mesh, name: HostName = "vm1"): void {
  describe(`leave gives back: ${name}`, () => {
    let host: Host;
    before(() => {
      host = mesh.host(name);
    });

    for (const [what, script] of PREPARED) {
      it(what, async () => {
        await host.reset();
        await host.sh(script(host));
        const before = await host.snapshot();
        await host.mustJoin();
        const joined = await host.snapshot();
        assert.ok(differences(before, joined).length > 20, "the comparison does not see that the host has joined");
        await host.mustLeave();
        await assertRestored(host, before);
      });
    }

    it("a host from which somebody has purged the package while the sidecar ran", async () => {
      await host.reset();
      const before = await host.snapshot();
      await host.mustJoin();
      await host.sh(`${host.packages.remove}; systemctl daemon-reload`);
      await host.mustLeave();
      await assertRestored(host, before);
    });

    if (name !== "vm1") return; // what follows has nothing to do with packages

    it("what somebody put into /etc/hosts and /etc/certs meanwhile stays", async () => {
      await host.reset();
      await host.mustJoin();
      await host.sh("echo 192.0.2.9 later >>/etc/hosts; echo later >/etc/certs/later.pem");
      const { output } = mustSucceed(await host.leave(), "leave");
      assert.match(output, /\/etc\/certs stays/);
      assert.match(await host.sh("cat /etc/hosts"), /\n192\.0\.2\.9 later\n$/);
      assert.equal(await host.sh("ls /etc/certs"), "later.pem\n");
      assert.doesNotMatch(await host.sh("cat /etc/hosts"), /istio/);
    });

    it("what stands behind a hosts block whose end somebody has removed stays, through join and leave", async () => {
      await host.reset();
      await host.mustJoin();
      await host.sh("sed -i '/^# END istio-vm/d' /etc/hosts; echo 192.0.2.9 later >>/etc/hosts");
      await host.mustJoin();
      assert.match(await host.sh("cat /etc/hosts"), /\n192\.0\.2\.9 later\n# BEGIN istio-vm.*\n.*\n# END istio-vm\n$/);
      await host.sh("sed -i '/^# END istio-vm/d' /etc/hosts; echo 192.0.2.10 last >>/etc/hosts");
      await host.mustLeave();
      assert.match(await host.sh("cat /etc/hosts"), /\n192\.0\.2\.9 later\n192\.0\.2\.10 last\n$/);
      assert.doesNotMatch(await host.sh("cat /etc/hosts"), /istio/);
    });

    it("nothing, twice, on a host that never joined", async () => {
      await host.reset();
      const before = await host.snapshot();
      await host.mustLeave();
      await host.mustLeave();
      await assertRestored(host, before);
    });
  });
}
