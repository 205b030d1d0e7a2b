import assert from "node:assert/strict";
import { loadDuring, type Request } from "../../host/load";
import { parseUrn } from "../engineEvents";
import { serves } from "./joining";
import { CANARY, type ExistingStory } from "./story";

/** A host goes to another istiod while requests of a pod go on; and means it by its tag then. */
export function movingRevision(story: ExistingStory): void {
  describe("a host that moves to the second revision", () => {
    const withRevision = (revision?: string) => {
      const [vm1] = story.config.hosts as object[];
      return { ...story.config, hosts: [{ ...vm1, revision }] };
    };
    let requests: Request[];

    it("is one update in place in the preview", async () => {
      story.stack.configure(withRevision(CANARY.revision));
      const { stdout } = await story.stack.succeed(["preview", "--json"]);
      const { steps } = JSON.parse(stdout) as { steps: { op: string; urn: string }[] };
      const changes = steps.filter(({ op }) => op !== "same").map(({ op, urn }) => `${op} ${parseUrn(urn).name}`);
      assert.deepEqual(changes.sort(), [
        "create expansion-meshexpansion-dr-istiod-canary",
        "update expansion-meshexpansion-vs-istiod",
        "update vm1-join",
      ]);
    });

    it("goes there without a failed request", async () => {
      requests = await loadDuring(() => story.bring(withRevision(CANARY.revision)));
      const failed = requests.filter(({ status }) => status !== 200);
      assert.ok(requests.length > 100, `only ${requests.length} requests`);
      assert.deepEqual(failed, []);
    });

    it("has its configuration from that istiod", async () => {
      await serves(story, [`${story.cloud.address}:15012`], CANARY.revision);
      const { stdout } = await story.stack.succeed(["stack", "output", "--json"]);
      const { controlPlanes, meshHosts } = JSON.parse(stdout) as Record<
        string,
        Record<string, Record<string, unknown>>
      >;
      assert.deepEqual(Object.keys(controlPlanes!).sort(), ["canary", "default"]);
      assert.deepEqual(controlPlanes!.canary!.tags, [CANARY.tag]);
      assert.equal(meshHosts!.vm1!.revision, CANARY.revision);
    });

    it("is the same by the revision's tag", async () => {
      await story.bring(withRevision(CANARY.tag), "--expect-no-changes");
    });

    it("comes back", async () => {
      await story.bring(withRevision());
      await serves(story, [`${story.cloud.address}:15012`]);
    });
  });
}
