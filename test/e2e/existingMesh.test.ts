/** A stack on a mesh that is there already. */
import assert from "node:assert/strict";
import { managedBy, snapshotCluster } from "../support/clusterSnapshot";
import { becomesSame } from "../support/snapshot";
import { snapshotVm } from "../support/vmSnapshot";
import { exposingAsTold, HandMade } from "./existing/adopting";
import { exposingByAGatewayOfOurOwn, exposingByTheirGateway } from "./existing/exposing";
import { joining } from "./existing/joining";
import { keepingTokens } from "./existing/keepingTokens";
import { movingRevision } from "./existing/movingRevision";
import { refusing } from "./existing/refusing";
import { ExistingStory } from "./existing/story";

describe("a mesh that is there already", () => {
  const story = new ExistingStory();
  const made = new HandMade(story);
  before(() => story.begin());
  after(async () => {
    try {
      await story.end();
    } finally {
      await made.end();
      await story.removeMesh();
    }
  });

  refusing(story);
  joining(story);
  describe("once it is up", () => {
    before(() => story.assertUp());

    exposingByTheirGateway(story);
    movingRevision(story);
    exposingByAGatewayOfOurOwn(story);
    exposingAsTold(story, made);
    keepingTokens(story);

    describe("destroy", () => {
      before(() => story.stack.succeed(["destroy", "--yes", "--skip-preview"]).then());

      it("gives back vm1 as it was", () => becomesSame(story.before.vm1, () => snapshotVm(story.lab, "vm1"), "vm1"));
      it("gives back what was joined by hand as it was, and in the mesh", () => made.assertGivenBack());
      it("gives back the cluster as it was", async () => {
        await made.end();
        await becomesSame(story.before.cluster, snapshotCluster, "the cluster");
      });
      it("leaves no mark of Pulumi's on an object", async () => assert.deepEqual(await managedBy("pulumi"), []));
    });
  });
});
