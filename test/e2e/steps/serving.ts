import assert from "node:assert/strict";
import { vmByName } from "../../../lab/paths";
import { run } from "../../../lab/run";
import { untilPlainly, untilPodSees, withStrictTls } from "../mesh";
import type { Story } from "../story";

/** The identity that both VMs have: it is the service account's. */
export const VM_ID = "spiffe://cluster.local/ns/vm/sa/vm1";
const POD_ID = "spiffe://cluster.local/ns/default/sa/sleep";

export function serving(story: Story): void {
  describe("the mesh with the VM in it", () => {
    const { address } = vmByName(story.lab, "vm1");

    it("carries a pod's request to the VM by mutual TLS, and each side knows the other's identity", async () => {
      // The VM's sidecar learns a moment after it has joined that its port belongs to a service.
      const answer = await untilPodSees("the VM's page by mutual TLS", ({ server }) => server !== undefined);
      assert.match(answer.page, /^This is vm1\./);
      assert.equal(answer.server, VM_ID, answer.page);
      assert.equal(answer.client, POD_ID, answer.page);
    });

    it("refuses plain requests to the VM under a STRICT policy, and still serves the pod", async () => {
      await untilPlainly("answered", address, 8080);
      await withStrictTls(async () => {
        await untilPlainly("refused", address, 8080);
        const answer = await untilPodSees("the VM's page", ({ page }) => page.startsWith("This is vm1."));
        assert.equal(answer.client, POD_ID, answer.page);
      });
      await untilPlainly("answered", address, 8080);
    });

    it("shows the VM in istioctl proxy-status, in sync with istiod", async () => {
      assertInSync(await run(["istioctl", "proxy-status"]), "vm1.vm");
    });
  });
}

/** @throws unless the table of `istioctl proxy-status` has the proxy, with nothing stale or not sent */
export function assertInSync(table: string, proxy: string): void {
  const line = table.split("\n").find((row) => row.startsWith(`${proxy} `));
  assert.ok(line, `${proxy} is not in:\n${table}`);
  assert.doesNotMatch(line, /STALE|ERROR|NOT SENT/, table);
}
