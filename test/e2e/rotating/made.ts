/** From one CA of the stack's own making to another. */
import assert from "node:assert/strict";
import { until } from "../../../lab/run";
import { keyDigest } from "../../../mesh/rotation";
import { THOROUGH } from "../../host/times";
import { HOSTS, signerOf, type Site } from "./site";

export function made(site: Site): void {
  // Variants of one mechanism: make test-faults.
  if (THOROUGH) {
    it("an intermediate takes the place of another, with an istiod that dies in the middle", async function () {
      this.timeout(900_000);
      const before = await site.chainOf("vm1");
      site.configure({ intermediate: 2 });
      await site.unnoticed("an intermediate", async () => {
        await site.up();
        assert.equal(await site.authorities(), "1.1 of 1.1 1.2");
        await site.upWithoutIstiod();
        assert.equal(await site.authorities(), "1.2 of 1.1 1.2");
        for (const vm of HOSTS) assert.notEqual(signerOf(await site.chainOf(vm)), signerOf(before), vm);
        await site.up();
        assert.equal(await site.authorities(), "1.2 of 1.2");
      });
      await site.stack.succeed(["preview", "--expect-no-changes"]);
    });
  }

  it("a root takes the place of another, with an istiod that dies in the middle", async function () {
    this.timeout(900_000);
    const first = THOROUGH ? "1.2" : "1.1";
    const [old, servers] = [await site.sentIdentity("vm1"), await site.servers()];
    await site.allAnswer(servers, old, "200");
    site.configure({ root: 2 });
    await site.unnoticed("a root", async () => {
      await site.up();
      assert.equal(await site.authorities(), `${first} of ${first} 2.1`);
      await site.upWithoutIstiod();
      assert.equal(await site.authorities(), `2.1 of ${first} 2.1`);
      // Until the end it is believed by all.
      await site.allAnswer(servers, old, "200");
      await site.up();
      assert.equal(await site.authorities(), "2.1 of 2.1");
    });
    await site.allAnswer(servers, old, "refused");
    await site.allAnswer(servers, await site.sentIdentity("vm1"), "200");
    await site.stack.succeed(["preview", "--expect-no-changes"]);
  });

  if (THOROUGH) {
    it("is turned back when it signs already, with an istiod that dies in the middle; revocation lists are in nobody's way", async function () {
      this.timeout(900_000);
      const before = signerOf(await site.chainOf("vm1"));
      const lists = { revocationLists: true };
      site.configure({ root: 2, ...lists });
      await site.up();
      // The kubelet brings them to pods.
      await until("lists everywhere", 180, async () => (await site.lists()).join() === "2,2,2");
      site.configure({ root: 3, ...lists });
      await site.unnoticed("a root, and back", async () => {
        await site.up();
        await site.up();
        assert.equal(await site.authorities(), "3.1 of 2.1 3.1");
        assert.notEqual(signerOf(await site.chainOf("vm2")), before);
        // Two roots, and an intermediate under each: by these certificates are checked now, and were before the other signed.
        assert.deepEqual(await site.lists(), [4, 4, 4]);
        site.configure({ root: 2, ...lists });
        await site.upWithoutIstiod();
        assert.equal(await site.authorities(), "2.1 of 2.1 3.1");
        for (const vm of HOSTS) assert.equal(signerOf(await site.chainOf(vm)), before, vm);
        await site.up();
        assert.equal(await site.authorities(), "2.1 of 2.1");
      });
      await site.stack.succeed(["preview", "--expect-no-changes"]);
    });

    it("waits for a host that can't be asked, and names it; or leaves it behind, which comes back by itself", async function () {
      this.timeout(900_000);
      site.configure({ root: 3 });
      await site.up();
      assert.equal(await site.authorities(), "2.1 of 2.1 3.1");
      await site.sh("vm2", "systemctl stop istio; iptables -I INPUT -p tcp --dport 22 -j DROP");
      assert.match(await site.up(), /the replacement of the CA waits[^]*vm2\.vm can't be asked/);
      assert.equal(await site.authorities(), "2.1 of 2.1 3.1");
      site.configure({ root: 3, rotation: { absent: "leave", until: "activate" } });
      await site.up();
      assert.equal(await site.authorities(), "3.1 of 2.1 3.1");
      // By the root that it knew, which has certified the other one.
      await site.sh("vm2", "systemctl start istio");
      const signer = keyDigest(await site.secretOf("ca-cert.pem"));
      await until("vm2 to be certified by the other CA", 60, async () => {
        return signerOf(await site.chainOf("vm2")) === signer;
      });
      await site.sh("vm2", "iptables -D INPUT -p tcp --dport 22 -j DROP");
      site.configure({ root: 3 });
      await site.up();
      assert.equal(await site.authorities(), "3.1 of 3.1");
    });
  }
}
