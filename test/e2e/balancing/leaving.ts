import assert from "node:assert/strict";
import { loadDuring, type Request } from "../../host/load";
import { failuresOf, HOSTS, type Site } from "./site";

/** A host that is probed is taken off `hosts`, while its sidecar says that it can serve. */
export function leaving(site: Site): void {
  describe("a probed host that leaves", () => {
    const name = "vm3";
    const others = HOSTS.filter((each) => each !== name);
    let requests: Request[];
    let output: string;

    before(async () => {
      await site.configure();
      await site.untilServing(HOSTS);
      requests = await loadDuring(async () => (output = await site.configure({}, others)));
    });

    it("is no endpoint any more before it lets go", () =>
      assert.match(output, /vm3: withdraw ok: \d+ proxies have confirmed[^]*vm3: left/));
    it("loses no request", () => assert.deepEqual(failuresOf(requests, "left"), []));
  });
}
