import assert from "node:assert/strict";
import { isIP } from "node:net";
import { vmByName } from "../../../lab/paths";
import { until } from "../../../lab/run";
import { PORTS } from "../../support/echo";
import { askFromPod, idOf, untilPlainly, untilPodSees, withStrictTls } from "../mesh";
import { type DualSite, HOSTS, POD } from "./site";

const inUrl = (address: string) => (isIP(address) === 6 ? `[${address}]` : address);

/** Pods ask hosts, hosts ask pods, by either family of addresses, and as whom. */
export function speaking(site: DualSite): void {
  for (const host of HOSTS) {
    const name = `of-${host}.vm.svc.cluster.local`;
    const isIt = ({ page, server, client }: { page: string; server?: string; client?: string }) =>
      page.startsWith(`This is ${host}.`) && server === idOf("vm", host) && client === idOf("default", "sleep");

    it(`a pod asks ${host} by its service's name, over mutual TLS`, async () => {
      const { page } = await untilPodSees(`${host}'s page`, isIt, `http://${name}:8080/`);
      assert.match(page, /^GET \/ from (::6|::ffff:127\.0\.0\.6)$/m);
    });

    it(`a pod asks ${host} by either address of its service`, async () => {
      const addresses = await site.clusterIps(`of-${host}`, "vm");
      assert.deepEqual(addresses.map(isIP), [4, 6]);
      for (const address of addresses.map(inUrl)) {
        // HTTP is known by the name that was asked for, TCP by the address: nobody else is behind it.
        await untilPodSees(`${host}'s page`, isIt, `http://${name}:8080/`, "--resolve", `${name}:8080:${address}`);
        await until(
          `${host} to answer at ${address}`,
          20,
          async () => (await site.askByTcp(address)).hostname === host,
        );
      }
    });

    it(`${host} asks a pod by its service's name, through the sidecar`, async () => {
      const families = host === "vm2" ? ["--ipv6"] : ["--ipv4", "--ipv6"];
      for (const family of families) {
        await site.untilHostAsks(
          host,
          `http://${POD}.default:${PORTS.http}/`,
          ({ said, client }) => said.includes(`Hostname=${POD}`) && client === idOf("vm", host),
          family,
        );
      }
    });

    it(`${host} asks a pod by its service's IPv6 address, through the sidecar`, async () => {
      const [, second] = await site.clusterIps(POD, "default");
      await site.untilHostAsks(
        host,
        `http://[${second}]:${PORTS.http}/`,
        ({ said, client }) => said.includes(`Hostname=${POD}`) && client === idOf("vm", host),
      );
    });

    it(`${host} refuses what is not mutual TLS, by IPv6 as well, where a policy says so`, async () => {
      const { address, ipv6: own } = vmByName(site.lab, host);
      const addresses = [`[${own}]`, ...(host === "vm2" ? [] : [address])];
      for (const each of addresses) await untilPlainly("answered", each, 8080);
      await withStrictTls(async () => {
        for (const each of addresses) await untilPlainly("refused", each, 8080);
        assert.ok(isIt(await askFromPod(`http://${name}:8080/`)));
      });
    });
  }
}
