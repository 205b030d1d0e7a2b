/** The owners of an existing mesh upgrade it in place, by `istioctl upgrade`; its hosts follow. */
import assert from "node:assert/strict";
import { installRelease } from "../../lab/istio";
import { EARLIER, RELEASE } from "../../lab/recipes/istio";
import { NODE_ADDRESSES } from "../e2e/existing/story";
import { packageOf, type Place, UpgradeStory } from "./story";

const OLD: Place = ["default", EARLIER];
const NEW: Place = ["default", RELEASE];

describe("an existing mesh, upgraded in place", () => {
  const story = new UpgradeStory();
  const config = (release = EARLIER) =>
    UpgradeStory.config({
      controlPlane: { existing: {} },
      exposure: { type: "NodePort", nodeAddresses: NODE_ADDRESSES },
      hosts: story.hosts(),
      sidecar: packageOf(release),
    });
  const versions = async () => {
    const { stdout } = await story.stack.succeed(["stack", "output", "--json"]);
    const { controlPlanes } = JSON.parse(stdout) as { controlPlanes: Record<string, { version: string }> };
    return Object.values(controlPlanes).map(({ version }) => version);
  };

  before(async () => {
    story.config = config();
    await story.begin();
    story.useIstioctl(EARLIER);
    await installRelease(story.lab, EARLIER, "install", "profile=minimal");
    await story.bring(config());
    await story.serve("default");
    await story.withoutRetries();
  });
  after(() => story.endAll());

  it("has joined its hosts by the earlier package", async () => {
    await story.areAt({ vm1: OLD, vm2: OLD });
    assert.deepEqual(await versions(), [EARLIER.version]);
  });

  it("is upgraded by its owners, and hosts go on with the older sidecar", async () => {
    story.useIstioctl(RELEASE);
    await story.underLoad(() => installRelease(story.lab, RELEASE, "upgrade", "profile=minimal"));
    await story.areAt({ vm1: OLD, vm2: OLD });
    assert.match(await story.cli("doctor"), new RegExp(`IVM317 .*default: ${RELEASE.version}`));
  });

  it("is found in its new version by pulumi up, which changes no host for that", async () => {
    await story.underLoad(() => story.bring(config()));
    assert.deepEqual(await versions(), [RELEASE.version]);
    await story.areAt({ vm1: OLD, vm2: OLD });
  });

  it("gets hosts of its version by the package", async () => {
    await story.underLoad(() => story.bring(config(RELEASE)));
    await story.areAt({ vm1: NEW, vm2: NEW });
  });

  it("restarts its pods", async () => {
    await story.underLoad(() => story.restartServer());
    await story.areAt({ vm1: NEW, vm2: NEW });
  });
});
