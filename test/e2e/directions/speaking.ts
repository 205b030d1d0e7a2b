import assert from "node:assert/strict";
import { table } from "../../../cli/table";
import { stream } from "../../support/echo";
import { directionsOf, type Places, SPOKEN } from "./places";

/** Every protocol, in every direction, with the identity that the other end sees. In the end it prints who answered. */
export function speaking(places: Places) {
  const answered: string[][] = [];

  for (const { from, to, host, as } of directionsOf(places.way.hosts)) {
    describe(`${from} to ${to}`, () => {
      for (const [protocol, spoken] of Object.entries(SPOKEN)) {
        it(protocol, async () => {
          const answer = await places.untilAnswered(from, to, spoken, host);
          if (spoken.tellsWho) assert.equal(answer.client, as, answer.said);
          assert.match(answer.protocol ?? "?", spoken.is, answer.said);
          answered.push([`${from} to ${to}`, protocol, answer.hostname!, answer.client ?? "(says nothing of that)"]);
        });
      }

      it("gRPC, streaming", async () => {
        const said = await stream(places.place(from), host, 10);
        assert.match(said, /^answer 10: \d+ services$/m);
        answered.push([`${from} to ${to}`, "gRPC, streaming", "10 of 10 messages", "(says nothing of that)"]);
      });
    });
  }

  after(() => {
    const text = table(["DIRECTION", "PROTOCOL", "ANSWERED BY", "WHO ASKED, AS IT SAW"], answered);
    console.log(text.replace(/^/gm, "      "));
  });
}
