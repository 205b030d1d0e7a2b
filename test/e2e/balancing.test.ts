/** Several hosts behind one service: shares, sick hosts, maintenance, and what it costs in requests. */
import { draining } from "./balancing/draining";
import { Site } from "./balancing/site";
import { sickening } from "./balancing/sickening";
import { leaving } from "./balancing/leaving";
import { sharing } from "./balancing/sharing";

describe("several hosts behind one service", () => {
  const site = new Site();
  before(() => site.begin());
  after(() => site.end());

  sharing(site);
  sickening(site);
  draining(site);
  leaving(site);
});
