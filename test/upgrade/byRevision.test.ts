/** Istio is upgraded by revision, as its guide recommends: the new one beside the old, and host by host to it. */
import assert from "node:assert/strict";
import { installRelease } from "../../lab/istio";
import { EARLIER, RELEASE } from "../../lab/recipes/istio";
import { run } from "../../lab/run";
import { parseUrn } from "../e2e/engineEvents";
import { NODE_ADDRESSES } from "../e2e/existing/story";
import { kubectl } from "../e2e/mesh";
import { becomesSame } from "../support/snapshot";
import type { StackConfig } from "../support/testStack";
import { snapshotVm } from "../support/vmSnapshot";
import { packageOf, type Place, UpgradeStory } from "./story";

const OLD: Place = ["1-30", EARLIER];
const NEW: Place = ["1-31", RELEASE];

describe("an existing mesh, upgraded by revision", () => {
  const story = new UpgradeStory();
  const config = (own: Parameters<typeof story.hosts>[0] = {}, more: StackConfig = {}) =>
    UpgradeStory.config({
      controlPlane: { existing: { revision: OLD[0] } },
      exposure: { type: "NodePort", nodeAddresses: NODE_ADDRESSES },
      hosts: story.hosts(own),
      ...more,
    });
  const moved = { vm1: { revision: NEW[0], sidecar: packageOf(RELEASE) }, vm2: { revision: NEW[0] } };
  const settled = () => config({}, { controlPlane: { existing: { revision: NEW[0] } }, sidecar: packageOf(RELEASE) });

  before(async () => {
    story.config = config();
    await story.begin();
    story.useIstioctl(EARLIER);
    await installRelease(story.lab, EARLIER, "install", "profile=minimal", `revision=${OLD[0]}`);
    await story.bring(config());
    await story.serve(OLD[0]);
    await story.withoutRetries();
  });
  after(() => story.endAll());

  /** What a preview says that would change. */
  async function changes(wanted: StackConfig): Promise<string[]> {
    story.stack.configure(wanted);
    const { stdout } = await story.stack.succeed(["preview", "--json"]);
    const { steps } = JSON.parse(stdout) as { steps: { op: string; urn: string }[] };
    return steps.filter(({ op }) => op !== "same").map(({ op, urn }) => `${op} ${parseUrn(urn).name}`);
  }

  it("has joined its hosts by the earlier package", () => story.areAt({ vm1: OLD, vm2: OLD }));

  it("is not concerned by another control plane beside it", async () => {
    story.useIstioctl(RELEASE);
    await story.underLoad(() => installRelease(story.lab, RELEASE, "install", "profile=minimal", `revision=${NEW[0]}`));
    await story.areAt({ vm1: OLD, vm2: OLD });
    await story.bring(config(), "--expect-no-changes");
  });

  it("previews the move of one host as a change of that host, and a way to its istiod", async () => {
    const wanted = config({ vm1: moved.vm1 });
    assert.deepEqual((await changes(wanted)).sort(), ["create exposure-istiod-1-31-vm", "update vm1-join"]);
  });

  it("moves one host with the package that goes with the revision", async () => {
    await story.underLoad(() => story.bring(config({ vm1: moved.vm1 })));
    await story.areAt({ vm1: NEW, vm2: OLD });
  });

  it("moves the other by the revision alone, which its package is not too old for", async () => {
    await story.underLoad(() => story.bring(config(moved)));
    await story.areAt({ vm1: NEW, vm2: [NEW[0], EARLIER] });
  });

  it("takes the package to all, which is a change of the one that lacks it", async () => {
    const wanted = config(moved, { sidecar: packageOf(RELEASE) });
    assert.deepEqual(await changes(wanted), ["update vm2-join"]);
    await story.underLoad(() => story.bring(wanted));
    await story.areAt({ vm1: NEW, vm2: NEW });
  });

  it("is the same said once for all; what is left of the old revision goes", async () => {
    const found = await changes(settled());
    assert.deepEqual(
      found.filter((change) => change.includes("-join")),
      [],
    );
    // The sample client is a pod: it is replaced by one of the new revision.
    await story.underLoad(() => story.bring(settled()), false);
    await story.areAt({ vm1: NEW, vm2: NEW });
  });

  it("restarts pods under the new revision", async () => {
    await story.underLoad(() => story.serve(NEW[0]));
    await story.podsAreAt(NEW);
    await story.areAt({ vm1: NEW, vm2: NEW });
  });

  it("does without the old control plane", async () => {
    await story.underLoad(async () => {
      await run(["istioctl", "uninstall", `--revision=${OLD[0]}`, "--skip-confirmation"]);
      await kubectl(
        "wait",
        "--for=delete",
        "pods",
        `--selector=app=istiod,istio.io/rev=${OLD[0]}`,
        "--all-namespaces",
        "--timeout=60s",
      );
      await story.areAt({ vm1: NEW, vm2: NEW }); // what goes with it does so within seconds: the load lasts as long
    });
    await story.bring(settled(), "--expect-no-changes");
  });

  it("is left by its hosts as they were", async () => {
    await story.stack.succeed(["destroy", "--yes", "--skip-preview"]);
    for (const vm of ["vm1", "vm2"] as const) {
      await becomesSame(story.before[vm], () => snapshotVm(story.lab, vm), vm);
    }
  });
});
