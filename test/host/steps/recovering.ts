import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { run, until } from "../../../lab/run";
import { untilPodSees } from "../../e2e/mesh";
import type { Host } from "../host";
import { loadDuring } from "../load";
import type { Mesh } from "../mesh";
import { probeDuring, sshGreeting } from "../probes";
import { FULL } from "../times";

/** For how long istiod can't be reached. */
const GONE_SECONDS = FULL ? 600 : 5;

export function recovering(mesh: Mesh): void {
  describe("a joined host", () => {
    let host: Host;
    before(async () => {
      host = mesh.host("vm1"); // the one that the service vmhttp leads to
      await host.reset();
      await host.mustJoin();
      await untilServing();
    });
    after(() => host.mustLeave().then());

    const untilServing = () => untilPodSees("the host's page", ({ page }) => page.startsWith(`This is ${host.name}.`));
    const isConnected = async () => (await run(["istioctl", "proxy-status"])).includes("vm1.vm ");
    const untilHealthy = (seconds: number) =>
      until("the sidecar to be well", seconds, async () => (await host.status()).exitCode === 0);

    it("is back in the mesh after a reboot, without help", async () => {
      await host.reboot();
      const begun = Date.now();
      await untilHealthy(60);
      await untilServing();
      console.log(`        in the mesh ${((Date.now() - begun) / 1000).toFixed(1)} s after SSH answered`);
    });

    it("serves on while istiod can't be reached, and finds back to it by itself", async function () {
      this.timeout((GONE_SECONDS + 300) * 1000);
      const port = /ISTIO_PILOT_PORT=(\d+)/.exec(host.commands.state)![1];
      const rule = `OUTPUT --protocol tcp --dport ${port} --jump DROP`;
      await host.sh(`iptables --insert ${rule}`);
      try {
        // Both sides find out by keep-alive messages, every 30 s.
        await until("istiod to lose the host", 100, async () => !(await isConnected()));
        const requests = await loadDuring(() => delay(GONE_SECONDS * 1000));
        assert.ok(requests.length > GONE_SECONDS, "there was hardly any load");
        const failed = requests.filter(({ status }) => status !== 200);
        console.log(
          `        ${failed.length} of ${requests.length} requests failed in ${GONE_SECONDS} s without istiod`,
        );
        assert.deepEqual(failed, []);
      } finally {
        await host.sh(`iptables --delete ${rule}`);
      }
      const begun = Date.now();
      await until("the host to be connected to istiod again", 60, isConnected);
      console.log(`        connected again after ${((Date.now() - begun) / 1000).toFixed(1)} s`);
      await untilServing();
    });
  });

  describe("through join, change, crash and leave", () => {
    let host: Host;
    before(async () => {
      host = mesh.host("vm2");
      await host.reset();
    });

    /** Fresh SSH connections, a name of /etc/hosts, and one that a name server knows. */
    const STEPS: [what: string, step: () => Promise<unknown>][] = [
      ["join", () => host.mustJoin()],
      [
        "change",
        () =>
          host.mustJoin({ state: host.commands.state.replace("ISTIO_INBOUND_PORTS=8080", "ISTIO_INBOUND_PORTS=*") }),
      ],
      [
        "crash",
        async () => {
          await host.sh("kill -KILL $(pidof envoy) $(pidof pilot-agent) || :"); // one may take the other with it
          await until("the sidecar to be well again", 60, async () => (await host.status()).exitCode === 0);
        },
      ],
      ["leave", () => host.mustLeave()],
    ];
    for (const [what, step] of STEPS) {
      it(`${what}: no SSH connection and no look-up of a name fails`, async () => {
        const names = () => host.sh("getent hosts vm2; getent hosts kubernetes.default.svc.cluster.local");
        let dns = { count: 0, failures: [] as string[] };
        const ssh = await probeDuring(
          () => sshGreeting(host.address),
          async () => {
            dns = await probeDuring(names, step);
          },
        );
        console.log(`        ${ssh.count} connections, ${dns.count} look-ups`);
        assert.deepEqual([...ssh.failures, ...dns.failures], []);
      });
    }
  });
}
