/**
 * Hosts that are in the mesh by IPv6, in a cluster with both families of addresses: on a lab of its own
 * (`lab/main.ts up --dual`), so with ISTIO_VM_DUAL alone (make test-dual).
 */
import assert from "node:assert/strict";
import { ipv6, node } from "../../lab/paths";
import { snapshotCluster } from "../support/clusterSnapshot";
import { endEcho } from "../support/echo";
import { becomesSame } from "../support/snapshot";
import { snapshotVm } from "../support/vmSnapshot";
import { DualSite, HOSTS, POD } from "./dual/site";
import { idOf } from "./mesh";
import { speaking } from "./dual/speaking";

if (process.env.ISTIO_VM_DUAL) {
  describe("dual stack", () => {
    const site = new DualSite();
    before(async function () {
      this.timeout(600_000);
      await site.begin();
    });
    after(() => site.end());

    describe("hosts that reach istiod by IPv6 alone", () => {
      before(async () => {
        site.configure([ipv6.node]);
        await site.stack.succeed(["up", "--yes", "--skip-preview"]);
        await site.startPod();
      });

      it("is nothing that a second up brings nearer", () =>
        site.stack.succeed(["up", "--yes", "--skip-preview", "--expect-no-changes"]).then());

      for (const host of HOSTS) {
        it(`${host} is logged in to, and finds istiod, by IPv6`, async () => {
          const { istiod } = await site.output(host);
          assert.deepEqual(istiod.addresses, [ipv6.node]);
          const hosts = await site.sh(host, "cat /etc/hosts");
          assert.deepEqual(hosts.match(/^\S+(?= istiod\.istio-system\.svc$)/gm), [ipv6.node]);
          const connected = await site.sh(host, `ss -Htn state established dport = :${istiod.port}`);
          assert.match(connected, new RegExp(`\\[${ipv6.node}\\]:${istiod.port}`));
          assert.ok(!connected.includes(`${node.address}:`), connected);
        });

        it(`${host} takes both of the cluster's ranges for the mesh's`, async () => {
          const [, ranges] = /^ISTIO_SERVICE_CIDR=(.*)$/m.exec(
            await site.sh(host, "cat /var/lib/istio/envoy/cluster.env"),
          )!;
          assert.deepEqual(ranges!.split(",").slice(0, 2), ["10.96.0.0/16", ipv6.serviceRange]);
        });

        it(`${host} has rules of ip6tables, which a snapshot sees`, async () => {
          const rules = [...(await snapshotVm(site.lab, host)).keys()].filter((key) => /^rule .*ip6tables/.test(key));
          const has = (wanted: RegExp) =>
            assert.ok(
              rules.some((rule) => wanted.test(rule)),
              rules.join("\n"),
            );
          has(/-A ISTIO_INBOUND -p tcp -m tcp --dport 8080 -j ISTIO_IN_REDIRECT$/);
          has(/-A ISTIO_OUTPUT -d fd00:96::\/112 -j ISTIO_REDIRECT$/);
        });

        it(`status says that ${host} is well`, async () => {
          const said = await site.cli("status", "--strict");
          assert.match(said, new RegExp(`^✓ ${host} .* yes +none `, "m"));
        });
      }

      it("doctor finds nothing", async () => assert.match(await site.cli("doctor"), / 0 warnings, 0 errors, /));

      speaking(site);
    });

    describe("hosts that reach istiod by both", () => {
      before(async () => {
        site.configure([node.address, ipv6.node]);
        await site.stack.succeed(["up", "--yes", "--skip-preview"]);
      });

      for (const host of HOSTS) {
        it(`${host} has both addresses, and goes on to be answered`, async () => {
          const hosts = await site.sh(host, "cat /etc/hosts");
          assert.deepEqual(hosts.match(/^\S+(?= istiod\.istio-system\.svc$)/gm), [node.address, ipv6.node]);
          await site.untilHostAsks(host, `http://${POD}.default:8081/`, ({ client }) => client === idOf("vm", host));
        });
      }
    });

    describe("destroy", () => {
      before(async () => {
        await endEcho(POD);
        await site.stack.succeed(["destroy", "--yes", "--skip-preview"]);
      });

      it("leaves the cluster as it was", () =>
        becomesSame(site.before.get("cluster")!, snapshotCluster, "the cluster"));

      for (const host of HOSTS) {
        it(`gives back ${host} as it was, ip6tables included`, () =>
          becomesSame(site.before.get(host)!, () => snapshotVm(site.lab, host), host));
      }
    });
  });
}
