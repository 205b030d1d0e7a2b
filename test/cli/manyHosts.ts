import assert from "node:assert/strict";
import type { Report } from "../../cli/doctor";
import type { Site } from "./site";

const COUNT = 50;

/** Addresses of the lab's network that no machine has. */
const ADDRESSES = Array.from({ length: COUNT }, (_, index) => `172.30.0.${101 + index}`);

/** Many hosts are asked at the same time, and one that does not answer costs its own time-out only. */
export function manyHosts(site: Site): void {
  describe(`doctor with ${COUNT} hosts`, () => {
    const vms = ["vm1", "vm2"];
    const vmOf = (index: number) => vms[index % vms.length]!;

    before(async () => {
      for (const [at, vm] of vms.entries()) {
        const own = ADDRESSES.filter((_, index) => index % vms.length === at);
        await site.sh(vm, own.map((address) => `ip address add ${address}/24 dev host0`).join("\n"));
        // By default sshd begins to turn people away at ten who are not in yet.
        await site.sh(vm, "echo 'MaxStartups 100' >/etc/ssh/sshd_config.d/many.conf; systemctl reload ssh");
      }
    });
    after(async () => {
      site.configure(site.config);
      for (const [at, vm] of vms.entries()) {
        const own = ADDRESSES.filter((_, index) => index % vms.length === at);
        await site.sh(vm, own.map((address) => `ip address del ${address}/24 dev host0`).join("\n"));
        await site.sh(vm, "rm /etc/ssh/sshd_config.d/many.conf; systemctl reload ssh");
      }
    });

    async function doctor(addresses: string[]): Promise<Report> {
      const hosts = addresses.map((address, index) => ({
        name: `host${index + 1}`,
        address,
        namespace: "vm",
        inboundPorts: [8080],
        ssh: { hostKey: site.hostKey(vmOf(index)) },
      }));
      site.configure({ ...site.config, hosts, services: [] });
      return JSON.parse((await site.cli(["doctor", "--output", "json"])).stdout) as Report;
    }

    const failed = ({ findings }: Report) =>
      findings.filter(({ code, result }) => code === "IVM601" && result === "error");

    it("asks them all", async () => {
      const report = await doctor(ADDRESSES);
      console.log(`        ${report.seconds} s`);
      assert.deepEqual(failed(report), []);
      assert.equal(report.findings.filter(({ code, result }) => code === "IVM602" && result === "ok").length, COUNT);
    });

    it("waits for those that do not answer once", async () => {
      const reached = await doctor(ADDRESSES.slice(0, 20));
      await site.sh(
        "vm1",
        `iptables -I INPUT -d ${ADDRESSES[0]} -j DROP; iptables -I INPUT -d ${ADDRESSES[2]} -j DROP`,
      );
      try {
        const report = await doctor(ADDRESSES.slice(0, 20));
        console.log(`        ${reached.seconds} s with all, ${report.seconds} s with two that are silent`);
        assert.deepEqual(
          failed(report).map(({ subject }) => subject),
          ["host1", "host3"],
        );
        assert.ok(failed(report).every(({ message }) => /does not answer within 10 s/.test(message)));
      } finally {
        await site.sh(
          "vm1",
          `iptables -D INPUT -d ${ADDRESSES[0]} -j DROP; iptables -D INPUT -d ${ADDRESSES[2]} -j DROP`,
        );
      }
    });
  });
}
