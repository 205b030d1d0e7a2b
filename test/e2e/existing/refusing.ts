import assert from "node:assert/strict";
import { snapshotCluster } from "../../support/clusterSnapshot";
import { assertSame, becomesSame } from "../../support/snapshot";
import { snapshotVm } from "../../support/vmSnapshot";
import { kubectl } from "../mesh";
import { type ExistingStory } from "./story";

/** What the configuration says and the cluster contradicts: said at once, before anything is there. */
export function refusing(story: ExistingStory): void {
  describe("a configuration that the mesh contradicts", () => {
    after(() => story.stack.configure(story.config));

    it("is refused with all that is wrong, and nothing is changed", async () => {
      const { cluster, hosts } = story.config as { cluster: object; hosts: object[] };
      story.stack.configure({
        ...story.config,
        cluster: { ...cluster, trustDomain: "example.org", name: "east" },
        exposure: { type: "LoadBalancer", gateway: { service: "eastwest", namespace: "gateways" } },
        hosts: [...hosts, story.host("vm2", { revision: "nightly", ssh: { hostKey: story.hostKey("vm1") } })],
      });
      const output = await story.stack.fail(["up", "--yes", "--skip-preview"]);
      const place = 'revision "default" of Istio in istio-system';
      for (const problem of [
        `cluster.trustDomain: "example.org" is not that of ${place}, "cluster.local"`,
        `cluster.name: "east" is not that of ${place}, "Kubernetes"`,
        'there is no revision or tag "nightly" of Istio: there is ',
        "canary in istio-system (tag prod)",
        "exposure.gateway: there is no Service eastwest in gateways",
      ]) {
        assert.ok(output.includes(problem), `${problem}\nis not in\n${output}`);
      }
      assertSame(story.before.cluster, await snapshotCluster(), "the cluster");
    });

    it("is refused where a host shall have a certificate of a CA that the stack does not have", async () => {
      story.stack.configure({ ...story.config, identity: "certificate" });
      const output = await story.stack.fail(["up", "--yes", "--skip-preview"]);
      assert.match(output, /hosts\[0\]\.identity: "certificate" is not allowed; it needs the CA of the existing mesh/);
      assertSame(story.before.cluster, await snapshotCluster(), "the cluster");
    });

    it("is refused where somebody else has a Service of that name, which is not taken over", async () => {
      await kubectl("create", "service", "clusterip", "istiod-vm", "--namespace=istio-system", "--tcp=15012");
      const theirs = () => kubectl("get", "service", "istiod-vm", "--namespace=istio-system", "--output=yaml");
      const was = await theirs();
      try {
        story.stack.configure(story.config);
        const output = await story.stack.fail(["up", "--yes", "--skip-preview"]);
        // The provider's words since 4.29, and those of the earlier one that the lab compiles.
        assert.match(output, /exposure-istiod-vm[^]*(already exists|field conflict)/);
        assert.equal(await theirs(), was);
      } finally {
        await story.stack.succeed(["destroy", "--yes", "--skip-preview"]);
        await kubectl("delete", "service", "istiod-vm", "--namespace=istio-system");
      }
      await becomesSame(story.before.cluster, snapshotCluster, "the cluster");
      assertSame(story.before.vm1, await snapshotVm(story.lab, "vm1"), "vm1");
    });
  });
}
