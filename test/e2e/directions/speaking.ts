import assert from "node:assert/strict";
import { stream } from "../../support/echo";
import { DIRECTIONS, type Places, SPOKEN } from "./places";

/** Every protocol, in every direction, with the identity that the other end sees. */
export function speaking(places: Places) {
  for (const { from, to, host, as } of DIRECTIONS) {
    describe(`${from} to ${to}`, () => {
      for (const [protocol, spoken] of Object.entries(SPOKEN)) {
        it(protocol, async () => {
          const answer = await places.untilAnswered(from, to, spoken, host);
          if (spoken.tellsWho) assert.equal(answer.client, as, answer.said);
          assert.match(answer.protocol ?? "?", spoken.is, answer.said);
        });
      }

      it("gRPC, streaming", async () => {
        assert.match(await stream(places.place(from), host, 10), /^answer 10: \d+ services$/m);
      });
    });
  }
}
