/** A host that has its identity by a token, and was off until that ended: the engine's part of it. */
import assert from "node:assert/strict";
import { assertInsideLab } from "../../lab/exec";
import { labByName } from "../../lab/paths";
import { until } from "../../lab/run";
import { resetVm, vmExec } from "../../lab/vm";
import { watchArguments } from "../support/arguments";
import { labConfig, TestStack } from "../support/testStack";
import { linesWithToken } from "./existing/keepingTokens";

describe("a token host whose identity has ended", () => {
  assertInsideLab();
  const lab = labByName();
  const stack = new TestStack();
  const sh = (script: string) => vmExec(lab, "vm1", ["sh", "-euc", script]);
  const unchanged = () => stack.succeed(["preview", "--expect-no-changes"]);
  const RENEWED = /^ *\+ renewed after the end of \d{4}-\S+Z$/m;
  let seen = new Set<string>();

  before(async function () {
    this.timeout(900_000);
    await resetVm(lab, "vm1");
    const config = labConfig();
    const [host] = config.hosts as object[];
    await stack.init({
      ...config,
      identity: "token",
      // As short as lets a test wait for its end.
      hosts: [{ ...host, environment: { SECRET_TTL: "30s" } }],
    });
    seen = await watchArguments(async () => {
      await stack.succeed(["up", "--yes", "--skip-preview"]);
    });
  });

  after(async () => {
    await stack.succeed(["destroy", "--yes", "--skip-preview"]);
    stack.remove();
  });

  it("is given none while it is well", unchanged);

  it("is left as it is while it can't be asked", async () => {
    await sh("systemctl stop istio");
    const status = () => sh("/var/lib/istio-vm/bin/istio-vm status || :");
    await until("the identity to end", 120, async () => /^valid +! its certificate ended/m.test(await status()));
    for (const answer of ["DROP", "REJECT"]) {
      const rule = `INPUT -p tcp --dport 22 -j ${answer}`;
      await sh(`iptables -I ${rule}`);
      await unchanged().finally(() => sh(`iptables -D ${rule}`));
    }
  });

  it("is seen by a preview, and gets a new one by the next up, once", async () => {
    const { output } = await stack.succeed(["preview", "--diff"]);
    assert.match(output, RENEWED);
    assert.match(output, /~ 2 to update/);
    await stack.succeed(["up", "--yes", "--skip-preview"]);
    assert.match(await sh("/var/lib/istio-vm/bin/istio-vm status"), /^ready +yes/m);
    await unchanged();
  });

  it("has no token in its state, in what pulumi said, or in a command line", async () => {
    const { stdout } = await stack.succeed(["stack", "export", "--show-secrets"]);
    const said = stack.transcript.map(([, text]) => text);
    for (const text of [stdout, ...said]) assert.doesNotMatch(text, /\beyJhbGci/, text.slice(0, 80));
    assert.deepEqual(await linesWithToken([...seen]), []);
  });
});
