import assert from "node:assert/strict";
import type { Host } from "../host";
import type { HostName, Mesh } from "../mesh";

const DRIFT: [what: string, script: string, says: RegExp][] = [
  [
    "an edited cluster.env",
    "sed -i s/8080/8081/ /var/lib/istio/envoy/cluster.env",
    /^cluster\.env +! changed by hand[\s\S]*-ISTIO_INBOUND_PORTS=8080\n +\+ISTIO_INBOUND_PORTS=8081/m,
  ],
  [
    "a hosts block that was removed",
    "sed -i '/^# BEGIN istio-vm/,/^# END istio-vm/d' /etc/hosts",
    /^hosts +! changed by hand[\s\S]*-172\.30\.0\.10 istiod\.istio-system\.svc/m,
  ],
  ["a sidecar that was stopped", "systemctl stop istio", /^ready +! no/m],
  ["a unit that would not start at boot", "systemctl disable istio 2>/dev/null", /^unit +! not enabled/m],
  [
    "iptables chains that were removed",
    "cd / && /usr/local/bin/istio-start.sh clean >/dev/null 2>&1",
    /^iptables +! no rules: traffic bypasses the sidecar/m,
  ],
  [
    "a certificate that was removed",
    "rm /etc/certs/root-cert.pem",
    /^certificate +! \/etc\/certs\/root-cert\.pem is missing/m,
  ],
  [
    "another certificate in the place of what was sent",
    "cp /etc/certs/cert-chain.pem /var/lib/istio/identity",
    /^certificate +! \/var\/lib\/istio\/identity\/cert-chain\.pem is not what was sent/m,
  ],
];

export function drifting(mesh: Mesh, name: HostName = "vm3", drift = DRIFT): void {
  describe(`status finds what was changed by hand, and the next join heals it: ${name}`, () => {
    let host: Host;
    before(async () => {
      host = mesh.host(name);
      await host.reset();
      await host.mustJoin();
    });
    after(() => host.mustLeave().then());

    for (const [what, script, says] of drift) {
      it(what, async () => {
        await host.sh(script);
        const { exitCode, output } = await host.status();
        assert.equal(exitCode, 1, output);
        assert.match(output, says);
        await host.mustJoin();
      });
    }

    it("a file of the package that was changed, which is left to whoever did it", async () => {
      const file = "/usr/local/bin/istio-start.sh";
      await host.sh(`cp -p ${file} /run/host-test.sh; echo '# mine' >>${file}`);
      for (const command of ["status", "glance"]) {
        const { output } = await host.ssh(`sudo /var/lib/istio-vm/bin/istio-vm ${command}`).done;
        assert.match(output, /package +! files differ from the package's: .*\/usr\/local\/bin\/istio-start\.sh$/m);
      }
      await host.sh(`mv /run/host-test.sh ${file}`);
      await host.mustJoin();
    });

    it("nothing, if nothing was changed: the sidecar is not restarted", async () => {
      const run = () => host.exec("systemctl", "show", "--property=InvocationID", "istio.service");
      const before = await run();
      await host.mustJoin();
      assert.equal(await run(), before);
    });
  });
}
