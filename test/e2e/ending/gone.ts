import assert from "node:assert/strict";
import { startVm, stopVm } from "../../../lab/vm";
import { loadDuring } from "../../host/load";
import { type Answer, idOf, untilPodSees } from "../mesh";
import { HOSTS, type Site } from "./site";
import { refusals } from "./leaving";
import { hostServer, podServer, Thief } from "./thief";

const GONE = "vm3";
const OTHERS = HOSTS.filter((name) => name !== GONE);

const serves =
  (name: string) =>
  ({ page }: Answer) =>
    page.startsWith(`This is ${name}.`);

/** A host that is switched off for good, as it seems. */
export function gone(site: Site): void {
  describe("a host that is gone", () => {
    let thief: Thief;
    const servers = async () => [await podServer(), hostServer(site, "vm1")];

    before(async () => {
      thief = await Thief.of(site, GONE);
      await thief.isAccepted(await servers());
      await stopVm(site.lab, GONE);
      site.configure(HOSTS, { [GONE]: { gone: true } });
      await site.up();
    });
    after(() => startVm(site.lab, GONE));

    it("has an identity no more: the mesh refuses it, its account is gone", async () => {
      await thief.isRefused(await servers());
      assert.deepEqual(await site.refused(), refusals(OTHERS));
      assert.deepEqual(await site.accounts(), OTHERS);
    });

    it("has no key in the stack any more", async () => {
      const { stdout } = await site.stack.succeed(["stack", "export"]);
      assert.match(stdout, /vm1-identity-key/);
      assert.doesNotMatch(stdout, /vm3-identity/);
    });

    it("is missed by nobody: the others serve", async () => {
      const requests = await loadDuring(() => Promise.all(OTHERS.map((name) => untilPodSees(name, serves(name)))));
      assert.deepEqual(new Set(requests.map(({ status }) => status)), new Set([200]));
    });

    it("is listed by status, with when its identity ended", async () => {
      assert.match(
        await site.cli("status"),
        /^ +ENDED .*\n! vm3 +cluster\.local\/ns\/vm\/sa\/vm3 +\d+ s ago +refused/m,
      );
    });

    it("is refused as well when it is taken off hosts, and when it turns up again", async () => {
      site.configure(OTHERS);
      await site.up();
      assert.deepEqual(await site.refused(), refusals(OTHERS));
      await thief.isRefused(await servers());
      await startVm(site.lab, GONE);
      await site.untilHostSees(GONE, "vm3 to be refused", ({ status, page }) => {
        return status === 403 && page.includes("RBAC: access denied");
      });
    });

    it("is joined when it is set back, and has its identity again", async () => {
      site.configure(HOSTS);
      await site.up();
      assert.deepEqual(await site.refused(), []);
      await site.untilHostSees(GONE, "vm3's request to be answered", ({ status, client, page }) => {
        return status === 200 && client === idOf("vm", GONE) && !page.startsWith("This is vm3.");
      });
    });
  });
}
