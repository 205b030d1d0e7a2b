import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { captureLines } from "../../../mesh/environment";
import type { Capture, Ports } from "../../../mesh/capture";
import { withDirectory } from "../support";

const SCRIPTS = join(__dirname, "../../../host");

type What = [capture: Capture, ports: Ports];
const linesOf = ([capture, inboundPorts]: What) => captureLines({ capture, inboundPorts, serviceCidr: "10.96.0.0/16" });
const stateOf = (what: What) =>
  linesOf(what)
    .map((line) => `cluster.env ${line}\n`)
    .join("");

interface Host {
  /** What runs, what was confirmed last, and what it shall be. */
  runs?: What;
  confirmed?: What;
  wanted: What;
  /** What the rules of Istio are, as far as there are any. */
  rules?: string;
}

for (const shell of ["sh", "bash"]) {
  describe(`what a host captures, by ${shell}`, () => {
    const run = (script: string, { runs, confirmed, wanted, rules = "" }: Host) =>
      withDirectory((folder) => {
        for (const name of ["env", "rules-env"]) {
          mkdirSync(join(folder, name));
          if (runs) writeFileSync(join(folder, name, "cluster.env"), linesOf(runs).join("\n"));
        }
        if (confirmed) writeFileSync(join(folder, "state"), stateOf(confirmed));
        const before = `set -eu
          STATE=$2 HOST=vm1 SSH_PORT=2222 RECORD=
          for file in lib rules status restart; do . "$0/$file.sh"; done
          id() { echo 1337; }
          HOME_DIR=$1 ENV_DIR=$1/env RULES_ENV=$1/rules-env
          istio_rules() { printf %s "$3"; }`;
        const { stdout, stderr } = spawnSync(
          shell,
          ["-c", `${before.replace('"$3"', `'${rules}'`)}\n${script}`, SCRIPTS, folder, stateOf(wanted)],
          { encoding: "utf8" },
        );
        assert.equal(stderr, "");
        return stdout;
      });
    const held = async (host: Host) =>
      [
        ...(await run("hold_rules iptables", host)).matchAll(/^-A HOLD_FOR_ISTIO (?:-p tcp --dport (\d+) )?-j DROP$/gm),
      ].map(([, port]) => port ?? "*");

    it("is told in words", async () => {
      for (const [wanted, words] of [
        [["none", [80]], "nothing"],
        [["inbound", [80, 81]], "in 80,81"],
        [["all", []], "out 10.96.0.0/16"],
        [["all", "*"], "in *, out 10.96.0.0/16"],
      ] as [What, string][]) {
        assert.equal((await run("captured", { wanted })).trim(), words);
      }
    });

    it("agrees with the rules that there are, or not", async () => {
      const agrees = async (wanted: What, rules: string) =>
        (await run("if rules_as_wanted; then echo yes; else unwanted_rules; fi", { wanted, rules })).trim();
      assert.equal(await agrees(["none", []], ""), "yes");
      assert.equal(await agrees(["none", []], "-A ISTIO"), "has rules of Istio, but nothing shall be captured");
      assert.equal(await agrees(["inbound", [80]], "-A ISTIO"), "yes");
      assert.equal(await agrees(["inbound", [80]], ""), "no rules: traffic bypasses the sidecar");
    });

    it("holds back connections to ports that are taken, that will be, or to which a change goes back", async () => {
      assert.deepEqual(await held({ runs: ["all", [80]], wanted: ["inbound", [80]] }), ["80"]);
      assert.deepEqual(await held({ runs: ["inbound", [80]], wanted: ["inbound", [80, 81]] }), ["80", "81"]);
      assert.deepEqual(await held({ runs: ["none", []], wanted: ["inbound", [80]] }), ["80"]);
      assert.deepEqual(await held({ runs: ["none", []], confirmed: ["all", [80]], wanted: ["none", []] }), ["80"]);
      assert.deepEqual(await held({ runs: ["inbound", [80]], wanted: ["all", "*"] }), ["*"]);
    });

    it("holds nothing back where nothing is captured, before or after", async () =>
      assert.equal(
        await run("hold_rules iptables", { runs: ["none", []], confirmed: ["none", []], wanted: ["none", []] }),
        "",
      ));
  });
}
