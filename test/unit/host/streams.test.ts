import assert from "node:assert/strict";
import { withScripts } from "./scripts";

/** The command provider collects stdout and stderr of a failed command by two writers: which comes first is chance. */
describe("host/istio-vm: what a change says", () => {
  const cases = {
    "a check": [`check() { fail "no good: no room"; }`, /vm1: no good: no room/],
    "a start, after which it is undone": [`start() { fail "not ready"; }`, /vm1: not ready\n(.*\n)*vm1: undo /],
    "a tool that complains by itself": [
      `start() { ls /no/such/file || fail "not ready"; }`,
      /such\/file.*\nvm1: not re/,
    ],
  } as const;

  for (const [what, [replaced, wanted]] of Object.entries(cases)) {
    it(`reads well in any order of its streams, for it is one: ${what}`, () =>
      withScripts(replaced, { CONFIRM_SECONDS: 2, ABSENT_SECONDS: 1 }, async (scripts) => {
        const { stdout, stderr, exitCode } = await scripts.start("join", "host vm1");
        assert.notEqual(exitCode, 0);
        assert.equal(stderr, "");
        for (const order of [stdout + stderr, stderr + stdout]) assert.match(order, wanted);
      }));
  }

  it("reads well when it is given back as well", () =>
    withScripts(`leave() { ls /no/such/file || fail "can't be given back"; }`, {}, async (scripts) => {
      const { stdout, stderr } = await scripts.start("leave", "host vm1");
      assert.deepEqual([/such\/file/.test(stdout), /can't be given back/.test(stdout), stderr], [true, true, ""]);
    }));
});
