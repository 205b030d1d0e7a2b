/** A mesh that the stack installs goes to another version of Istio with its hosts. */
import { EARLIER, RELEASE, type Release } from "../../lab/recipes/istio";
import { labConfig, operatorSpecOf, withOperatorSpec } from "../support/testStack";
import { packageOf, type Place, UpgradeStory } from "./story";

const OLD: Place = ["default", EARLIER];
const NEW: Place = ["default", RELEASE];

describe("a mesh of the stack's own, upgraded in place", () => {
  const story = new UpgradeStory();
  const config = (controlPlane: Release, sidecar: Release) => {
    const of = withOperatorSpec(labConfig(), { ...operatorSpecOf(labConfig()), tag: controlPlane.version });
    const { install } = of.controlPlane as { install: object };
    return UpgradeStory.config({
      controlPlane: { install: { ...install, version: controlPlane.version } },
      hosts: story.hosts(),
      sidecar: packageOf(sidecar),
    });
  };
  const bring = (controlPlane: Release, sidecar: Release) => {
    story.useIstioctl(controlPlane);
    return story.bring(config(controlPlane, sidecar));
  };

  before(async () => {
    story.config = config(EARLIER, EARLIER);
    await story.begin();
    await bring(EARLIER, EARLIER);
    await story.serve("default");
    await story.withoutRetries();
  });
  after(() => story.endAll());

  it("has joined its hosts by the earlier package", () => story.areAt({ vm1: OLD, vm2: OLD }));

  it("takes control plane and hosts to the new version by one update", async () => {
    await story.underLoad(() => bring(RELEASE, RELEASE));
    await story.areAt({ vm1: NEW, vm2: NEW });
    await story.bring(config(RELEASE, RELEASE), "--expect-no-changes");
  });

  it("restarts its pods", async () => {
    await story.underLoad(() => story.restartServer());
    await story.areAt({ vm1: NEW, vm2: NEW });
  });

  it("takes both back by one update", async () => {
    await story.underLoad(() => bring(EARLIER, EARLIER));
    await story.areAt({ vm1: OLD, vm2: OLD });
  });

  it("takes the control plane first", async () => {
    await story.underLoad(() => bring(RELEASE, EARLIER));
    await story.areAt({ vm1: OLD, vm2: OLD });
  });

  it("and its hosts later", async () => {
    await story.underLoad(() => bring(RELEASE, RELEASE));
    await story.areAt({ vm1: NEW, vm2: NEW });
  });
});
