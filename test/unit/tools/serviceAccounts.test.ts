import assert from "node:assert/strict";
import { requestToken } from "../../../tools/serviceAccounts";
import { withCommands } from "../support";

describe("requestToken", () => {
  const account = { namespace: "vm", serviceAccount: "vm1" };
  const ask = (kubectl: Record<string, string>) =>
    withCommands(kubectl, () => requestToken(account, "istio-ca", { context: "lab" }), "/usr/none");

  it("asks for a token of that account, for istiod alone, for ten minutes", async () => {
    assert.equal(
      await ask({ kubectl: 'echo "$*"' }),
      "--context lab --request-timeout=10s create token vm1 --namespace=vm --audience=istio-ca --duration=600s",
    );
  });

  for (const [what, commands, says] of [
    ["there is no kubectl", {}, /token of the service account vm\/vm1: kubectl is not on the PATH: install kubectl/],
    [
      "there is no such account",
      { kubectl: `echo 'error: failed to create token: serviceaccounts "vm1" not found' >&2; exit 1` },
      /vm\/vm1: .*not found: pulumi refresh && pulumi up makes it anew/,
    ],
    [
      "one may not",
      {
        kubectl: `echo 'error: failed to create token: serviceaccounts "vm1" is forbidden: User "me" cannot create resource "serviceaccounts/token"' >&2; exit 1`,
      },
      /vm\/vm1: .* is forbidden: .*: pulumi up needs the right to create serviceaccounts\/token there \(IVM303\)/,
    ],
  ] as [string, Record<string, string>, RegExp][]) {
    it(`says what to do where ${what}`, () => assert.rejects(ask(commands), says));
  }
});
