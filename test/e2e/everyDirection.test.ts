/** Every direction, every protocol: what programs in pods and on hosts say to each other, and as whom. */
import { admitting } from "./directions/admitting";
import { database } from "./directions/database";
import { Places } from "./directions/places";
import { sparing } from "./directions/sparing";
import { speaking } from "./directions/speaking";

describe("every direction, every protocol", () => {
  const places = new Places();
  before(() => places.begin());
  after(() => places.end());

  speaking(places);
  describe("policies", () => admitting(places));
  describe("everything else", () => sparing(places));
  describe("a database on a VM", () => database(places));
});
