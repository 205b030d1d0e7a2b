import assert from "node:assert/strict";
import type { Host } from "../host";
import type { Mesh } from "../mesh";
import { assertRestored } from "../restored";

/** What is somebody else's on a host. */
export function respecting(mesh: Mesh): void {
  describe("what is not ours on a host", () => {
    let host: Host;
    beforeEach(async () => {
      host = mesh.host("vm3");
      await host.reset();
    });

    /** Joins and leaves, and asserts that the host is what it was when `prepare` had prepared it. */
    async function throughALife(prepare: string, meanwhile?: () => Promise<unknown>): Promise<void> {
      await host.sh(prepare);
      const before = await host.snapshot();
      await host.mustJoin();
      await meanwhile?.();
      await host.mustLeave();
      await assertRestored(host, before);
    }

    it("an operator's rules stay, whatever their comments say, as do chains with names like Istio's", async () => {
      await throughALife(
        `iptables -A INPUT -p tcp --dport 2200 -m comment --comment 'ISTIO rollout: "keep" -j ISTIO_OUTPUT' -j ACCEPT
        iptables -N ISTIO_OUTPUT_OF_OURS
        iptables -A ISTIO_OUTPUT_OF_OURS -p tcp --dport 9 -m comment --comment ':ISTIO_REDIRECT - [0:0]' -j DROP
        iptables -A INPUT -p tcp --dport 9 -j ISTIO_OUTPUT_OF_OURS`,
        async () => {
          // One that is made while the sidecar runs, and one whose end is interception's.
          await host.sh(`iptables -t nat -A PREROUTING -p tcp --dport 7 -m comment --comment 'ISTIO later' -j RETURN`);
          await host.mustJoin();
          await host.sh("iptables -t nat -D PREROUTING -p tcp --dport 7 -m comment --comment 'ISTIO later' -j RETURN");
        },
      );
    });

    it("rules of a sidecar that was killed go one by one, and none that others made meanwhile", async () => {
      await host.mustJoin();
      await host.sh(`iptables -t nat -I PREROUTING -p tcp --dport 7 -j RETURN
        mv /usr/local/bin/istio-start.sh /usr/local/bin/istio-start.sh.away
        systemctl kill --kill-who=all --signal=KILL istio || :`);
      await host.mustLeave();
      const rules = await host.rules();
      assert.doesNotMatch(rules, /ISTIO/);
      assert.match(rules, /^-A PREROUTING -p tcp -m tcp --dport 7 -j RETURN$/m);
    });

    it("a lock that any user can have on /run stops nobody", async () => {
      await host.sh("systemd-run --quiet --unit=host-test --uid=nobody flock /run sleep infinity");
      await host.mustJoin();
      await host.mustLeave();
      await host.exec("systemctl", "stop", "host-test");
    });

    it("links that istio-proxy makes where its files are lead nowhere", async () => {
      await host.mustJoin();
      await host.sh(`echo precious >/root/precious
        chmod 0600 /root/precious
        cd /etc/certs
        for file in key.pem cert-chain.pem root-cert.pem; do runuser -u istio-proxy -- ln -sf /root/precious $file; done
        runuser -u istio-proxy -- ln -sf /root/precious key.pem.istio-vm
        cd /var/lib/istio/identity
        for file in key.pem cert-chain.pem; do runuser -u istio-proxy -- ln -sf /root/precious $file; done
        cd /var/lib/istio/envoy
        for file in cluster.env sidecar.env; do runuser -u istio-proxy -- ln -sf /root/precious $file; done`);
      await host.mustJoin();
      assert.equal(await host.sh("cat /root/precious; stat -c '%a %U' /root/precious"), "precious\n600 root\n");
      for (const folder of ["/etc/certs", "/var/lib/istio/identity"]) {
        assert.equal(await host.sh(`stat -c '%F %a' ${folder}/key.pem`), "regular file 600\n", folder);
      }
      await host.mustLeave();
      assert.equal(await host.sh("cat /root/precious; stat -c '%a %U' /root/precious"), "precious\n600 root\n");
    });

    it("a sudo that writes its input down has nothing of the key", async () => {
      await host.sh("printf 'Defaults log_input, log_output\\n' >/etc/sudoers.d/zz-log");
      await host.mustJoin();
      const [line = ""] = host.commands.certificates["key.pem"]!.split("\n").slice(1);
      assert.match(line, /^[A-Za-z0-9+/=]{40}/);
      const written = await host.sh(
        `cd /var/log/sudo-io; find . -type f | while read -r f; do zcat -f "$f" 2>/dev/null || cat "$f"; done`,
      );
      assert.match(written, /exec sh \/tmp\/istio-vm\.\w+\/input attend/, "nothing was written down");
      assert.ok(!written.includes(line) && !/PRIVATE KEY|base64/.test(written));
    });

    it("files that another program puts beside ours stay when we leave", async () => {
      await host.sh("mkdir -p /run/secrets.host-test");
      await host.mustJoin();
      await host.sh(`for folder in /run/secrets /var/log/istio /etc/istio/proxy /var/lib/istio; do
          echo theirs >$folder/theirs
        done`);
      const { output } = await host.mustLeave();
      assert.match(output, /\/run\/secrets stays: there are files in it that join did not bring/);
      assert.equal(
        await host.sh(`find /run/secrets /var/log/istio /var/lib/istio -printf '%p %U %m\\n' | sort`),
        `/run/secrets 0 755
/run/secrets/theirs 0 644
/var/lib/istio 0 755
/var/lib/istio/proxy 0 755
/var/lib/istio/proxy/theirs 0 644
/var/lib/istio/theirs 0 644
/var/log/istio 0 755
/var/log/istio/theirs 0 644
`,
      );
    });

    it("an /etc/hosts that is a link stays one, and its file gets its mode and its lines back", () =>
      throughALife(
        `mkdir /srv/etc
        mv /etc/hosts /srv/etc/hosts
        chmod 0640 /srv/etc/hosts
        ln -s ../srv/etc/hosts /etc/hosts`,
        async () => {
          assert.equal(await host.sh("stat -c '%F' /etc/hosts; stat -Lc %a /etc/hosts"), "symbolic link\n640\n");
          assert.match(await host.sh("cat /srv/etc/hosts"), /istiod\.istio-system\.svc/);
        },
      ));

    it("an /etc/hosts that is mounted there is written where it is", () =>
      throughALife(
        `cp -a /etc/hosts /srv/hosts
        mount --bind /srv/hosts /etc/hosts`,
        async () => {
          assert.match(await host.sh("cat /srv/hosts"), /istiod\.istio-system\.svc/);
          assert.match(await host.sh("findmnt -n -o TARGET /etc/hosts"), /^\/etc\/hosts/);
        },
      ));

    it("a Docker bridge in the sidecar's environment comes and goes with its rules", async () => {
      const before = await host.snapshot();
      const state = `${host.commands.state}\nsidecar.env KUBE_VIRT_INTERFACES=docker0`;
      await host.mustJoin({ state });
      assert.match(await host.rules(), /-i docker0/);
      await host.mustJoin({ state: state.replace(/^(cluster\.env ISTIO_SERVICE_CIDR)=.*$/m, "$1=192.0.2.0/24") });
      await host.mustJoin();
      assert.doesNotMatch(await host.rules(), /-i docker0/);
      await host.mustLeave();
      await assertRestored(host, before);
    });
  });
}
