/** Another CA takes the place of the mesh's, under load in every direction. */
import { left } from "./rotating/left";
import { made } from "./rotating/made";
import { own } from "./rotating/own";
import { Site } from "./rotating/site";

describe("another CA", () => {
  const site = new Site();
  before(async function () {
    this.timeout(900_000);
    await site.begin();
  });
  after(async function () {
    this.timeout(600_000);
    await site.end();
  });

  made(site);
  left(site, own(site));
});
