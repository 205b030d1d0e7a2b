/** Every direction, every protocol: what programs in pods and on hosts say to each other, and as whom. */
import { THOROUGH } from "../host/times";
import { admitting } from "./directions/admitting";
import { Places } from "./directions/places";
import { sparing } from "./directions/sparing";
import { speaking } from "./directions/speaking";
import { NODE_PORT, OTHER_WAYS } from "./directions/ways";

describe("every direction, every protocol", () => {
  const places = new Places(NODE_PORT);
  before(() => places.begin());
  after(() => places.end());

  speaking(places);
  describe("policies", () => admitting(places));
  describe("everything else", () => sparing(places));
});

for (const [name, way] of THOROUGH ? Object.entries(OTHER_WAYS) : []) {
  describe(`every direction, every protocol, by ${name}`, () => {
    const places = new Places(way);
    before(() => places.begin());
    after(() => places.end());

    speaking(places);
  });
}
