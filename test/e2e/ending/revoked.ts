import assert from "node:assert/strict";
import { rebootVm, resetVm } from "../../../lab/vm";
import { HOSTS, type Site } from "./site";
import { hostServer, podServer, Thief } from "./thief";

const GONE = "vm3";

/** Nothing but the lists: as where others go on with the identity of the host that is gone. */
const LISTS = { ca: { revocationLists: true }, denyEnded: false };

/** Certificates that are revoked. */
export function revoked(site: Site): void {
  describe("a host that is gone, of a mesh with revocation lists", () => {
    let thief: Thief;
    const servers = async () => [await podServer(), hostServer(site, "vm1")];

    before(async () => {
      site.options = LISTS;
      site.configure(HOSTS);
      await site.up();
      thief = await Thief.of(site, GONE);
    });

    // Nothing gives it back: it is gone.
    after(() => resetVm(site.lab, GONE));

    it("is believed while it is there: lists refuse nobody by being there", async () => {
      await thief.isAccepted(await servers());
      await site.stack.succeed(["preview", "--expect-no-changes"]);
    });

    it("leads hosts to them from each boot on", async () => {
      await rebootVm(site.lab, GONE);
      assert.equal(await site.sh(GONE, "readlink /run/secrets/istio/crl"), "/var/lib/istio/crl\n");
    });

    it("has a certificate that pods and hosts refuse, and others are not", async () => {
      site.configure(HOSTS, { [GONE]: { gone: true } });
      await site.up();
      const all = await servers();
      await thief.isRevoked(all);
      await (await Thief.of(site, "vm1")).isAccepted(all);
    });
  });
}
