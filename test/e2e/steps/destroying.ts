import { snapshotCluster } from "../../support/clusterSnapshot";
import { becomesSame } from "../../support/snapshot";
import { snapshotVm } from "../../support/vmSnapshot";
import type { Story } from "../story";

export function destroying(story: Story): void {
  describe("destroy", () => {
    before(() => story.stack.succeed(["destroy", "--yes", "--skip-preview"]).then());

    it("gives back the cluster as it was", () => becomesSame(story.before.cluster, snapshotCluster, "the cluster"));

    for (const name of ["vm1", "vm2"] as const) {
      it(`gives back ${name} as it was`, () =>
        becomesSame(story.before[name], () => snapshotVm(story.lab, name), name));
    }
  });
}
