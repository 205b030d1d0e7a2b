import { commands } from "./commands";
import { diagnosing } from "./diagnosing";
import { impacting } from "./impacting";
import { manyHosts } from "./manyHosts";
import { renewing } from "./renewing";
import { Site } from "./site";

describe("the command line on a real mesh", () => {
  const site = new Site();
  before(() => site.begin());
  after(() => site.end());

  commands(site);
  diagnosing(site);
  impacting(site);
  manyHosts(site);
  renewing(site);
});
