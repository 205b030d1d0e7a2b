import assert from "node:assert/strict";
import { until } from "../../lab/run";
import type { StackConfig } from "../support/testStack";
import type { Site } from "./site";

/** What pulumi up makes anew for the same key, as before the end of a CA: the mesh goes on, and doctor finds nothing. */
export function renewing(site: Site): void {
  describe("a CA that ends soon", () => {
    const [root, intermediate] = [87600, 43800];
    const config = (ca: object): StackConfig => ({
      ...site.config,
      hosts: (site.config.hosts as object[]).slice(0, 1),
      ca,
    });
    const renewed = { rootValidityHours: root, intermediateValidityHours: intermediate + 1 };

    const codes = async () => [...new Set((await site.findings()).map(({ code }) => code))].sort();
    const answers = async () => {
      const curl = ["curl", "--silent", "--fail", "--max-time", "5", "http://vmhttp.vm.svc.cluster.local:8080"];
      const page = await site.kubectl("exec", "deploy/sleep", "--container=sleep", "--", ...curl);
      assert.match(page, /^This is vm1\./);
      assert.match(page, /^x-forwarded-client-cert: .*URI=spiffe:/im);
    };
    it("gets another intermediate, and nobody notices", async () => {
      await site.up(config(renewed));
      await answers();
      assert.deepEqual(await codes(), []);
    });

    it("gets another root of the same key, which everybody has when it is there; the mesh goes on meanwhile", async () => {
      await site.up(config({ ...renewed, rootValidityHours: root + 1 }));
      await answers();
      await until("all to be well", 60, async () => (await codes()).length === 0);
      await site.sh("vm1", "systemctl restart istio");
      await until("vm1 to be ready again", 30, async () => (await codes()).length === 0);
      await answers();
    });
  });
}
