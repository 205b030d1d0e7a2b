/** What is left after rotations: chains that are right, and which private keys, and where. */
import assert from "node:assert/strict";
import { leaderOf } from "../../../lab/cgroups";
import { assertNoKeyIn, placesOf, privateKeysOf } from "../../support/privateKeys";
import { filesBelow, keepingSecrets, sshKeyOf } from "../keepingSecrets";
import { kubectl } from "../mesh";
import type { OwnAuthority } from "./ownAuthority";
import { HOSTS, type Site } from "./site";

/** Where anything writes on a host. */
const WRITTEN = ["etc", "home", "opt", "root", "run", "srv", "tmp", "var"];
/** What a host has by itself, and what it was sent. */
const [BY_ITSELF, SENT] = ["/etc/certs/key.pem", "/var/lib/istio/identity/key.pem"];

export function left(site: Site, authority: () => OwnAuthority): void {
  describe("after all that", () => {
    /** All keys that there have been but these. */
    const others = (...keys: string[]) => {
      const kept = new Set(keys.map((key) => key.trim()));
      return [...site.keys].filter((key) => !kept.has(key.trim()));
    };

    it("chains are such that openssl verifies them", async () => {
      await site.assertVerified("istiod", await site.secretOf("cert-chain.pem"));
      await site.assertVerified("vm1 by itself", await site.chainOf("vm1"));
      await site.assertVerified("vm1 as sent", (await site.sentIdentity("vm1")).cert);
      await site.assertVerified("vm2", await site.chainOf("vm2"));
    });

    // The authority and its root, vm1, the SSH key, what both hosts had by themselves; and of the stack's own making before
    // that two roots, two intermediates and what hosts had of these.
    keepingSecrets(site, 12);

    it("the encrypted state has the keys that are in use, and of earlier authorities none", async () => {
      const wanted = new Map([
        [authority().key.trim(), "the CA's"],
        [(await site.sentIdentity("vm1")).key.trim(), "vm1's"],
        [sshKeyOf(site.lab), "the SSH key"],
      ]);
      const state = await site.state();
      const found = [...privateKeysOf(state)].map((key) => wanted.get(key.trim()) ?? "another");
      assert.deepEqual(found.sort(), [...wanted.values()].sort());
      assertNoKeyIn([["pulumi stack export --show-secrets", state]], others(...wanted.keys()));
    });

    it("the cluster has the key with which istiod signs, in its secret, and no other", async () => {
      const kinds = "secrets,configmaps,pods,deployments,serviceentries,workloadentries";
      const all = JSON.parse(await kubectl("get", kinds, "--all-namespaces", "--output=json")) as {
        items: { kind: string; metadata: { name: string; namespace: string } }[];
      };
      const texts = all.items.map((item): [string, string] => {
        const { kind, metadata } = item;
        return [`${kind} ${metadata.namespace}/${metadata.name}`, JSON.stringify(item)];
      });
      assert.deepEqual(placesOf([authority().key], texts), ["Secret istio-system/cacerts"]);
      assertNoKeyIn(texts, others(authority().key));
    });

    for (const name of HOSTS) {
      it(`${name} has the keys of its own that are in use, and none of before`, async () => {
        const top = `/proc/${leaderOf(site.lab, name)}/root`;
        const files = WRITTEN.flatMap((folder) => [...filesBelow(`${top}/${folder}`)]).map(
          ([path, text]): [string, string] => [path.slice(top.length), text],
        );
        const byItself = await site.workloadKey(name);
        assert.deepEqual(placesOf([byItself], files), [BY_ITSELF]);
        const sent = name === "vm1" ? [(await site.sentIdentity(name)).key] : [];
        assert.deepEqual(placesOf(sent, files), name === "vm1" ? [SENT] : []);
        assertNoKeyIn(files, others(byItself, ...sent));
      });
    }
  });
}
