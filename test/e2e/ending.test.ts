/** Hosts that leave the mesh, and hosts that are gone: what becomes of requests, and of their identities. */
import assert from "node:assert/strict";
import { snapshotCluster } from "../support/clusterSnapshot";
import { becomesSame } from "../support/snapshot";
import { snapshotVm } from "../support/vmSnapshot";
import { parseUrn } from "./engineEvents";
import { gone } from "./ending/gone";
import { leaving } from "./ending/leaving";
import { revoked } from "./ending/revoked";
import { HOSTS, Site } from "./ending/site";
import { idOf } from "./mesh";

describe("the end of a host", () => {
  const site = new Site();
  before(async function () {
    this.timeout(900_000);
    await site.begin();
  });
  after(() => site.end());

  it("is nothing that a second up brings nearer", () =>
    site.stack.succeed(["up", "--yes", "--skip-preview", "--expect-no-changes"]).then());

  it("is previewed: what goes, and what changes", async () => {
    site.configure(["vm2", "vm3"]);
    const { stdout } = await site.stack.succeed(["preview", "--json"]);
    const { steps } = JSON.parse(stdout) as { steps: { op: string; urn: string }[] };
    const changes = steps.filter(({ op }) => op !== "same").map(({ op, urn }) => `${op} ${parseUrn(urn).name}`);
    assert.deepEqual(changes.sort(), [
      "delete account-vm/vm1",
      "delete ended-vm/vm1",
      "delete service-vm-slow-vm1",
      "delete service-vm-slow-vm1-entry",
      "delete service-vm-slow-vm1-service",
      "delete vm1",
      "delete vm1-access",
      "delete vm1-identity",
      "delete vm1-identity-certificate",
      "delete vm1-identity-key",
      "delete vm1-identity-request",
      "delete vm1-join",
      "delete vm1-membership",
      "delete vm1-membership-vm",
      "delete vm1-withdrawal",
      "delete vm1-workload",
      "delete vm1-workload-vm/slow-vm1",
      "delete vm1-workload-vm/vmhttp",
    ]);
  });

  leaving(site, "vm1", ["vm2", "vm3"]);
  leaving(site, "vm2", ["vm3"]);

  describe("hosts that are back", () => {
    before(async () => {
      site.configure(HOSTS);
      await site.up();
    });

    it("have their identities again", async () => {
      assert.deepEqual(await site.refused(), []);
      for (const name of ["vm1", "vm2"]) {
        await site.untilHostSees(name, `${name}'s request to be answered`, ({ status, client, page }) => {
          return status === 200 && client === idOf("vm", name) && !page.startsWith(`This is ${name}.`);
        });
      }
    });
  });

  gone(site);
  revoked(site);

  describe("destroy", () => {
    before(() => site.stack.succeed(["destroy", "--yes", "--skip-preview"]).then());

    it("leaves nothing that refuses anybody, and the cluster as it was", () =>
      becomesSame(site.before.get("cluster")!, snapshotCluster, "the cluster"));

    for (const name of ["vm1", "vm2"]) {
      it(`gives back ${name} as it was`, () =>
        becomesSame(site.before.get(name)!, () => snapshotVm(site.lab, name), name));
    }
  });
});
