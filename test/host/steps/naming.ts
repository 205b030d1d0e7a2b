import assert from "node:assert/strict";
import { DNS_UNIT, DNS_UNIT_LINES } from "../../../mesh/dns";
import { until } from "../../../lab/run";
import { readPage } from "../../e2e/mesh";
import type { Host } from "../host";
import { lookUpDuring } from "../lookUps";
import type { Mesh } from "../mesh";
import { assertRestored } from "../restored";

/** A stack's state with dns: true. */
export function withDns(state: string): string {
  return state
    .replace(/^(cluster\.env ISTIO_NAMESPACE=)(.*)$/m, '$1"$2 ISTIO_META_DNS_CAPTURE=true"')
    .concat(DNS_UNIT_LINES.map((line) => `\ndns ${line}`).join(""), `\nfile 0644 ${DNS_UNIT} lines:dns`);
}

/** Known to the agent alone: the cluster's DNS, which is the hosts' name server here, has no short names. */
const MESH_NAME = "vmhttp.vm";
/** Known to the name server alone: the agent has to ask it. */
const OTHER_NAME = "10-244-0-1.default.pod.cluster.local";

const resolves = async (host: Host, name: string) => /\d/.test(await host.sh(`getent ahostsv4 ${name} || :`));

async function killed(host: Host) {
  await host.exec("systemctl", "kill", "--signal=KILL", "istio");
  await until("systemd to start it again", 60, async () =>
    /=[1-9]/.test(await host.exec("systemctl", "show", "--property=NRestarts", "istio")),
  );
  await until("names of the mesh to be known again", 60, () => resolves(host, MESH_NAME));
}

export function naming(mesh: Mesh): void {
  describe("names of the mesh", () => {
    let host: Host;
    let before: string;
    beforeEach(async () => {
      host = mesh.host("vm1");
      await host.reset();
      before = await host.sh("cat /etc/resolv.conf /etc/nsswitch.conf");
    });
    const join = () => host.mustJoin({ state: withDns(host.commands.state) });

    it("are not known without dns: true, and nothing answers in place of the name server", async () => {
      await host.mustJoin();
      assert.equal(await resolves(host, MESH_NAME), false);
      assert.equal(await resolves(host, OTHER_NAME), true);
      assert.doesNotMatch(await host.rules(), /DNS/);
    });

    it("are known with it, and lead through the mesh with the host's identity; no file of the resolver changes", async () => {
      const other = mesh.host("vm2");
      await other.reset();
      await other.mustJoin();
      await join();
      assert.equal(await resolves(host, MESH_NAME), true);
      assert.equal(await resolves(host, OTHER_NAME), true);
      assert.equal(await host.sh("cat /etc/resolv.conf /etc/nsswitch.conf"), before);
      const { page, client } = await until("vm1 to be answered", 20, async () => {
        const answer = readPage(await host.sh(`curl -s --max-time 3 http://${MESH_NAME}:8080/ || :`));
        return answer.client === undefined ? undefined : answer;
      });
      assert.match(client!, /^spiffe:\/\/cluster\.local\/ns\/vm\/sa\/vm1$/, page);
    });

    it("are known no more when it is turned off, and no unit or rule is left", async () => {
      await join();
      await host.mustJoin();
      assert.equal(await resolves(host, MESH_NAME), false);
      assert.equal(await resolves(host, OTHER_NAME), true);
      assert.doesNotMatch(await host.rules(), /DNS/);
      assert.equal(await host.sh(`ls ${DNS_UNIT} 2>/dev/null || :`), "");
    });

    it("leave nothing behind", async () => {
      const was = await host.snapshot();
      await join();
      await host.mustLeave();
      await assertRestored(host, was);
    });

    for (const [what, work] of [
      ["is restarted by an operator", (h: Host) => h.exec("systemctl", "restart", "istio")],
      [
        "is restarted by an update",
        (h: Host) => h.mustJoin({ state: `${withDns(h.commands.state)}\nsidecar.env A=b` }),
      ],
      ["dies, and comes back", killed],
      ["is stopped for good", (h: Host) => h.exec("systemctl", "stop", "istio")],
      ["is taken away by leave", (h: Host) => h.mustLeave()],
    ] as const) {
      it(`does not stop the host from looking up others when the sidecar ${what}`, async () => {
        await join();
        const found = await lookUpDuring(host, OTHER_NAME, () => work(host));
        const { count, failed, late, longest } = found;
        console.log(`        ${failed.length} of ${count} look-ups lost, ${late} late, the longest took ${longest} ms`);
        assert.ok(count > 50, `only ${count} look-ups`);
        assert.deepEqual(failed, []);
        // Those that the agent had heard when it died.
        assert.ok(late <= 3, `${late} look-ups were late`);
      });
    }

    describe("by systemd-resolved", () => {
      beforeEach(async () => {
        await host.sh("rm /etc/systemd/system/systemd-resolved.service"); // masked in the lab
        await host.installDebs("systemd-resolved");
        await host.sh(`mkdir -p /etc/systemd/resolved.conf.d
          printf '[Resolve]\\nDNS=10.96.0.10\\nDomains=~cluster.local\\n' >/etc/systemd/resolved.conf.d/lab.conf
          systemctl restart systemd-resolved`);
      });

      it("are known", async () => {
        await join();
        assert.match(await host.sh("cat /etc/resolv.conf"), /^nameserver 127\.0\.0\.53$/m);
        for (const name of [MESH_NAME, `${MESH_NAME}.svc.cluster.local`, OTHER_NAME]) {
          assert.equal(await resolves(host, name), true, name);
        }
      });

      it("would not be known to programs that ask it itself, past all name servers: refused, with the way out", async () => {
        await host.installDebs("libnss-resolve");
        const { exitCode, output } = await host.join({ state: withDns(host.commands.state) });
        assert.equal(exitCode, 3, output);
        assert.match(output, /IVM743 .*put dns in place of resolve/);
        await host.sh("sed -i 's/^\\(hosts:.*\\)resolve \\[[^]]*\\] /\\1/' /etc/nsswitch.conf");
        await join();
        assert.equal(await resolves(host, MESH_NAME), true);
      });
    });

    it("are known by resolvconf", async () => {
      await host.installDebs("resolvconf");
      await host.sh(
        "printf 'nameserver 10.96.0.10\\n' | resolvconf -a host0; ln -sf /run/resolvconf/resolv.conf /etc/resolv.conf",
      );
      await join();
      assert.equal(await resolves(host, MESH_NAME), true);
      assert.equal(await resolves(host, OTHER_NAME), true);
    });

    it("are known no more, and all others are, when the name servers change, until the sidecar starts anew", async () => {
      await join();
      await host.sh("printf 'nameserver 10.96.0.10\\nnameserver 192.0.2.53\\noptions timeout:1\\n' >/etc/resolv.conf");
      await until("look-ups to go to the name servers", 30, async () => !/DNS_TO_ISTIO/.test(await host.rules()));
      assert.equal(await resolves(host, OTHER_NAME), true);
      assert.match(
        await host.sh("journalctl -u istio-vm-dns"),
        /name servers in .* have changed.*systemctl restart istio/,
      );
      assert.match((await host.status()).output, /^dns +! /m);
      await host.exec("systemctl", "restart", "istio");
      await until("names of the mesh to be known again", 60, () => resolves(host, MESH_NAME));
    });

    it("do not stop the host from looking up others before istiod has answered", async () => {
      await join();
      const port = /^istiod (\d+) /m.exec(host.commands.state)![1]!;
      await host.sh(`iptables -I OUTPUT -p tcp --dport ${port} -j REJECT`);
      await host.exec("systemctl", "restart", "istio");
      await until("the agent to listen", 20, async () =>
        /:15053/.test(await host.sh("ss -Hltn sport = :15053")) ? true : undefined,
      );
      assert.equal(await resolves(host, OTHER_NAME), true);
      await host.sh(`iptables -D OUTPUT -p tcp --dport ${port} -j REJECT`);
      await until("names of the mesh to be known again", 60, () => resolves(host, MESH_NAME));
    });
  });
}
