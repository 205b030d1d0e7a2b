import assert from "node:assert/strict";
import { until } from "../../lab/run";
import type { StackConfig } from "../support/testStack";
import type { Site } from "./site";

/** What IVM404 advises: each step as it is written there, and after it the mesh goes on and doctor finds nothing more. */
export function renewing(site: Site): void {
  describe("a CA that ends soon, by the advice of IVM404", () => {
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
    const restart = async (namespace: string, ...deployment: string[]) => {
      await site.kubectl("rollout", "restart", `--namespace=${namespace}`, "deployment", ...deployment);
      await site.kubectl("rollout", "status", `--namespace=${namespace}`, "deployment", ...deployment);
    };

    it("gets another intermediate, and nobody notices", async () => {
      await site.up(config(renewed));
      await answers();
      assert.deepEqual(await codes(), []);
    });

    it("gets another root of the same key, which all have in the end; the mesh goes on meanwhile", async () => {
      await site.up(config({ ...renewed, rootValidityHours: root + 1 }));
      await answers();
      assert.deepEqual(await codes(), ["IVM405", "IVM409"]);

      await restart("istio-system");
      await answers();
      await restart("default", "sleep");
      await answers();
      await until("every namespace to have the root", 60, async () => (await codes()).join() === "IVM409");

      await site.sh("vm1", "rm /etc/certs/root-cert.pem");
      await site.up({ ...site.config, ...config({ ...renewed, rootValidityHours: root + 1 }), healDrift: true });
      await site.up(config({ ...renewed, rootValidityHours: root + 1 }));
      await until("all to be well", 30, async () => (await site.findings()).length === 0);
      await answers();
      await site.sh("vm1", "systemctl restart istio");
      await until("vm1 to be ready again", 30, async () => (await codes()).length === 0);
      await answers();
    });
  });
}
