import { applyingNothing } from "./steps/applyingNothing";
import { changingPorts } from "./steps/changingPorts";
import { destroying } from "./steps/destroying";
import { firstPreview } from "./steps/firstPreview";
import { firstUp } from "./steps/firstUp";
import { interrupting } from "./steps/interrupting";
import { joiningMore } from "./steps/joiningMore";
import { keepingSecrets } from "./steps/keepingSecrets";
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
    keepingSecrets(story);
    destroying(story);
  });
});
