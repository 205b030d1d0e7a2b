import assert from "node:assert/strict";
import { loadDuring, WORKERS } from "../../host/load";
import { failuresOf, HOSTS, type Site } from "./site";

/** A host that can't serve, and says so itself; or does not, and is found out by who asks it. */
export function sickening(site: Site): void {
  const sick = "vm1";
  const others = HOSTS.filter((name) => name !== sick);

  describe("a sick host", () => {
    before(async () => {
      await site.configure();
      await site.untilServing(HOSTS);
    });
    after(() => site.sh(sick, "systemctl start app"));

    /** @returns the requests that failed, and when it was known that it is sick, in seconds of the epoch */
    const sickening = async (what: string) => {
      let known = 0;
      const requests = await loadDuring(async () => {
        await site.sh(sick, "systemctl stop app");
        await site.untilServing(others);
        known = Date.now() / 1000;
        await site.sh(sick, "systemctl start app");
        await site.untilServing(HOSTS);
      });
      return { failed: failuresOf(requests, what), known };
    };

    // Where the application is gone, its host's sidecar answers with 503, which Istio tries again no more since 1.24.
    it("is taken out of its service and back; no request fails where 503 is tried again", () =>
      site.withRetries({ attempts: 2, retryOn: "connect-failure,refused-stream,503" }, async () => {
        const { failed } = await sickening("sick, where 503 is tried again");
        assert.deepEqual(failed, []);
      }));

    for (const [what, tried] of [
      ["as Istio tries again by default", undefined],
      ["where none is tried again", { attempts: 0 }],
    ] as const) {
      it(`costs some requests ${what}, and only until it has said so`, async () => {
        const look = async () => {
          const { failed, known } = await sickening(`sick, ${what}`);
          const expected = failed.filter(({ status, begin }) => status === 503 && begin < known);
          assert.deepEqual(failed, expected, `it was known at ${known}`);
        };
        await (tried === undefined ? look() : site.withRetries(tried, look));
      });
    }

    it("is one more check in a stack that has none: an update in place", async () => {
      await site.configure({ [sick]: { readinessProbe: undefined } });
      await site.untilServing(HOSTS);
    });

    it("that is not probed is left out by who gets errors of it, where that is wished for", async () => {
      const outlierDetection = { consecutive5xxErrors: 2, interval: "1s", baseEjectionTime: "300s" };
      await site.configure({
        [sick]: { readinessProbe: undefined },
        service: { trafficPolicy: { outlierDetection: { ...outlierDetection, maxEjectionPercent: 50 } } },
      });
      await site.untilServing(HOSTS);
      const requests = await loadDuring(async () => {
        await site.sh(sick, "systemctl stop app");
        await site.untilServing(others);
      });
      const failed = failuresOf(requests, "sick, found out by its clients");
      // Those after which it is left out, and what was under way by then.
      assert.ok(failed.length <= outlierDetection.consecutive5xxErrors + WORKERS, JSON.stringify(failed));
    });
  });
}
