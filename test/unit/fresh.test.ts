import assert from "node:assert/strict";
import { typed } from "../fresh/typed";

const request = (status: string) => `
  request      curl http://vmhttp.vm.svc.cluster.local:8080   (pod sleep)
  status       ${status}
  answer       This is vm1.
  mTLS server  spiffe://cluster.local/ns/vm/sa/default
  mTLS client  spiffe://cluster.local/ns/default/sa/sleep
`;
const [first, second, down, unit] = typed.map(({ answer }) => answer) as [Answer, Answer, Answer, Answer];
type Answer = (output: string) => string;

describe("what a fresh machine must answer", () => {
  it("the first demonstration makes the stack, and its request succeeds", () => {
    const created = "Resources:\n    + 74 created\n\nDuration: 40s\n";
    assert.match(first(created + request("HTTP/1.1 200 OK")), /^74 created, HTTP\/1\.1 200 OK, .*spiffe:.*spiffe:/);
    assert.throws(() => first(created + request("HTTP/1.1 503 Service Unavailable")), /the request succeeded/);
    assert.throws(() => first(created), /the request succeeded/);
  });

  it("the second one changes nothing", () => {
    const ok = request("HTTP/1.1 200 OK");
    assert.match(second(`Resources:\n    74 unchanged\n${ok}`), /^74 unchanged, /);
    assert.throws(() => second(`Resources:\n    ~ 1 updated\n    73 unchanged\n${ok}`), /changed as it should/);
  });

  it("the end removes everything, and the unit tests pass", () => {
    assert.equal(down("Resources:\n    - 74 deleted\n"), "74 deleted");
    assert.throws(() => down("error: ..."));
    assert.equal(unit("\n  412 passing (21s)\n"), "412 passing");
    assert.throws(() => unit("\n  0 passing (1ms)\n"));
  });
});
