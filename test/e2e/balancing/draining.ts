import assert from "node:assert/strict";
import { loadDuring, type Request } from "../../host/load";
import { SlowRequest, ANSWER } from "../ending/slowly";
import { sharesOf } from "../mesh";
import { failuresOf, HOSTS, type Site } from "./site";

/** A host is taken out of its services for maintenance, and put back. */
export function draining(site: Site): void {
  describe("a host that is drained", () => {
    const name = "vm2";
    const others = HOSTS.filter((each) => each !== name);
    let requests: Request[];
    let slow: SlowRequest;

    before(async () => {
      await site.configure();
      await site.untilServing(HOSTS);
      slow = await SlowRequest.begin(site, name);
      requests = await loadDuring(async () => {
        await site.configure({ [name]: { drain: true } });
        await site.untilServing(others);
      });
    });
    after(() => slow.end());

    it("loses no request", () => assert.deepEqual(failuresOf(requests, "drained"), []));

    it("gets nothing new", async () => {
      const shares = await sharesOf(30);
      assert.deepEqual([...shares.keys()].sort(), others);
    });

    it("ends what was under way", async () => {
      await slow.finish();
      assert.equal(await slow.answer, ANSWER);
    });

    it("stays in the mesh, managed as any other", async () => {
      assert.match(await site.sh(name, "/var/lib/istio-vm/bin/istio-vm status"), /ready +yes, in sync/);
      const { stdout } = await site.stack.succeed(["preview", "--diff", "--expect-no-changes"]);
      assert.ok(stdout);
    });

    it("serves again when it is drained no more, without a request that fails", async () => {
      const back = await loadDuring(async () => {
        await site.configure();
        await site.untilServing(HOSTS);
      });
      assert.deepEqual(failuresOf(back, "back"), []);
    });
  });
}
