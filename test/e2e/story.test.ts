import { keepingSecrets } from "./keepingSecrets";
import { applyingNothing } from "./steps/applyingNothing";
import { changingPorts } from "./steps/changingPorts";
import { destroying } from "./steps/destroying";
import { firstPreview } from "./steps/firstPreview";
import { firstUp } from "./steps/firstUp";
import { interrupting } from "./steps/interrupting";
import { joiningMore } from "./steps/joiningMore";
import { losingAHost } from "./steps/losingAHost";
import { moving } from "./steps/moving";
import { refusing } from "./steps/refusing";
import { serving } from "./steps/serving";
import { sparingTheOthers } from "./steps/sparingTheOthers";
import { Story } from "./story";

describe("a stack's life", () => {
  const story = new Story();
  before(() => story.begin());
  after(() => story.end());

  firstPreview(story);
  firstUp(story);
  describe("once it is up", () => {
    before(() => story.assertUp());

    serving(story);
    applyingNothing(story);
    refusing(story);
    sparingTheOthers(story);
    interrupting(story);
    joiningMore(story);
    losingAHost(story);
    changingPorts(story);
    moving(story);
    // Root, intermediate, vm1, vm2, the SSH key, and those of the other stack.
    keepingSecrets(story, 8);
    destroying(story);
  });
});
