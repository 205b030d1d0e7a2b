/** Every direction, every protocol: what programs in pods and on hosts say to each other, and as whom. */
import assert from "node:assert/strict";
import { THOROUGH } from "../host/times";
import { admitting } from "./directions/admitting";
import { Places } from "./directions/places";
import { sparing } from "./directions/sparing";
import { speaking } from "./directions/speaking";
import { NODE_PORT, OTHER_WAYS } from "./directions/ways";
import { kubectl } from "./mesh";

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
    if (way.earlier) {
      it("is what the stack says, and nothing of what was there before", async () => {
        await places.stack.succeed(["refresh", "--yes", "--skip-preview", "--expect-no-changes"]);
        await places.stack.succeed(["up", "--yes", "--skip-preview", "--expect-no-changes"]);
        const types = "--output=jsonpath={.items[*].spec.type}";
        assert.equal(await kubectl("get", "services", "--namespace=istio-system", types), "LoadBalancer ClusterIP");
      });
    }
  });
}
