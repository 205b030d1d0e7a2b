import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { loadDuring, type Request } from "../../host/load";
import { idOf } from "../mesh";
import { HOSTS, type Site } from "./site";
import { ANSWER, SlowRequest } from "./slowly";
import { hostServer, podServer, Thief } from "./thief";

/** Milliseconds in which a leave that does not wait would have stopped the sidecar. */
const STILL_WAITS = 3000;

/** A host is taken off `hosts`, and off its service, while pods use it. */
export function leaving(site: Site, name: string, others: string[]): void {
  describe(`${name}, taken off hosts`, () => {
    let thief: Thief;
    let servers: Parameters<Thief["isRefused"]>[0];
    let requests: Request[];
    let output: string;
    let slow: SlowRequest | undefined;
    /** Seconds of the epoch: nobody was sent there any more; the host was given back. */
    let withdrawn: number;
    let left: number;

    before(async function () {
      this.timeout(600_000);
      thief = await Thief.of(site, name);
      servers = [await podServer(), hostServer(site, others[0]!)];
      await thief.isAccepted(servers);
      slow = await SlowRequest.begin(site, name);
      site.configure(others);
      requests = await loadDuring(async () => {
        const up = site.stack.begin(["up", "--yes", "--skip-preview"]);
        await up.untilSaid(/withdraw ok/);
        withdrawn = Date.now() / 1000;
        await up.untilSaid(/waits for \d+ connections/);
        await delay(STILL_WAITS);
        await slow!.finish();
        await up.untilSaid(/left +the host is as it was/);
        left = Date.now() / 1000;
        const { exitCode, ...rest } = await up.outcome;
        ({ output } = rest);
        assert.equal(exitCode, 0, output);
      });
    });
    after(() => slow?.end());

    it("loses no request", () => {
      const failed = requests.filter(({ status }) => status !== 200);
      console.log(`      ${failed.length} of ${requests.length} requests failed`);
      assert.deepEqual(failed, []);
      assert.ok(requests.filter(({ begin }) => begin < withdrawn).length > 50);
      assert.ok(
        requests.filter(({ begin }) => begin > left).length > 20,
        "too few afterwards to see whether it is asked",
      );
    });

    it("has answered what was under way", async () => assert.equal(await slow!.answer, ANSWER));

    it("was asked before, and never after nobody was sent there any more", async () => {
      const asked = async (...range: string[]) =>
        (await site.sh(name, `journalctl --quiet --unit=app --output=cat ${range.join(" ")}`)).match(/GET/g)?.length ??
        0;
      assert.ok((await asked(`--until=@${withdrawn}`)) > 20);
      assert.equal(await asked(`--since=@${withdrawn}`), 0);
    });

    it("says first that nobody is sent there any more, then what it gave back; then its identity ends", () => {
      const inOrder = [
        `${name}: withdraw ok: \\d+ proxies have confirmed`,
        `${name}: leave +waits for \\d+ connections to end`,
        `${name}: leave +removed: package istio-sidecar`,
        `${name}: left +the host is as it was`,
        `ended-vm/${name} deleting`,
      ];
      const at = inOrder.map((words) => output.search(new RegExp(words)));
      assert.ok(!at.includes(-1), output);
      assert.deepEqual(
        at,
        [...at].sort((a, b) => a - b),
        output,
      );
    });

    it("has an identity that the mesh refuses", async () => {
      assert.deepEqual(await site.refused(), refusals(others));
      await thief.isRefused(servers);
      assert.deepEqual(await site.accounts(), others);
    });
  });
}

/** What is refused while these hosts are there. */
export const refusals = (there: string[]) =>
  HOSTS.filter((name) => !there.includes(name)).map((name) => idOf("vm", name).replace("spiffe://", ""));
