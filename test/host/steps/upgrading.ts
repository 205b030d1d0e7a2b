import assert from "node:assert/strict";
import { run } from "../../../lab/run";
import { kubectl, untilPodSees } from "../../e2e/mesh";
import type { Host } from "../host";
import { loadDuring } from "../load";
import type { Mesh } from "../mesh";

const NO_RETRIES = JSON.stringify({
  apiVersion: "networking.istio.io/v1",
  kind: "VirtualService",
  metadata: { name: "host-test-no-retries", namespace: "default" },
  spec: {
    hosts: ["vmhttp.vm.svc.cluster.local"],
    http: [{ retries: { attempts: 0 }, route: [{ destination: { host: "vmhttp.vm.svc.cluster.local" } }] }],
  },
});

export function upgrading(mesh: Mesh): void {
  describe("the package goes up and down a version, and all ports are taken, while a pod sends requests", () => {
    let host: Host;
    let newer: string;
    before(async () => {
      host = mesh.host("vm1");
      await host.reset();
      await host.mustJoin();
      newer = await host.stateWithLaterPackage();
      await untilPodSees("the host's page", ({ page }) => page.startsWith("This is vm1."));
    });
    after(() => host.mustLeave().then());

    /** All changes under load, in which no request may fail. */
    async function changeUnderLoad(): Promise<void> {
      const requests = await loadDuring(async () => {
        await host.mustJoin({ state: newer });
        assert.match(await host.sh(host.packages.show), /\+2$/m);
        await host.mustJoin({ state: newer.replace("ISTIO_INBOUND_PORTS=8080", "ISTIO_INBOUND_PORTS=*") });
        await host.mustJoin();
        assert.doesNotMatch(await host.sh(host.packages.show), /\+2$/m);
      });
      const failed = requests.filter(({ status }) => status !== 200);
      const slowest = Math.max(...requests.map(({ seconds }) => seconds));
      const span = requests.at(-1)!.begin - requests[0]!.begin;
      console.log(
        `        ${failed.length} of ${requests.length} requests failed in ${span.toFixed(0)} s; the slowest took ${slowest.toFixed(1)} s`,
      );
      assert.ok(requests.length > 100, "there was hardly any load");
      assert.deepEqual(failed, []);
    }

    it("with Istio's own retries", () => changeUnderLoad());

    it("without retries", async () => {
      await run(["kubectl", "apply", "--filename=-"], { input: NO_RETRIES });
      try {
        await changeUnderLoad();
      } finally {
        await kubectl("delete", "virtualservice", "host-test-no-retries");
      }
    });
  });
}
