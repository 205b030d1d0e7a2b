import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { readAuthority } from "../../../cli/facts/cluster";
import { forecastExit, renderForecast } from "../../../cli/forecast";
import { colours } from "../../../cli/output";
import type { Ending, Forecast } from "../../../diagnosis/forecast";
import { existingControlPlane, findRevision } from "../../../mesh/existing";
import { readRevisions } from "../../../tools/existing";
import { existingFacts, healthyFacts } from "../diagnosis/checks/facts";
import { issue } from "../diagnosis/checks/pki";
import { meshKubectl, meshObjects } from "../existingMesh";
import { fakeTools } from "./fakeTools";

const repository = join(__dirname, "..", "..", "..");
const at = new Date("2026-06-01T12:00:00Z");
const root: Ending = {
  health: "warning",
  kind: "root",
  of: "CN=Root CA",
  ends: new Date("2026-07-01T12:00:00Z"),
  renewal: { by: "nobody", instead: "whoever owns the mesh must" },
  missedBy: [{ host: "vm1", why: "has no other" }],
};
const found: Forecast = { at, until: new Date("2026-08-30T12:00:00Z"), endings: [root], unread: [] };

describe("cli/forecast", () => {
  it("shows a marked row for what ends, and sentences where that is nothing", () => {
    const lines = (forecast: Forecast) => renderForecast(forecast, colours(false)).split("\n");
    assert.deepEqual(lines(found), [
      "  ENDS (UTC)              WHAT               RENEWED BY                          MISSED BY",
      '! 2026-07-01, in 30 days  root "CN=Root CA"  nobody: whoever owns the mesh must  vm1: has no other',
    ]);
    assert.deepEqual(lines({ ...found, endings: [] }), ["nothing ends before 2026-08-30"]);
  });

  it("ends with 2 for what has ended, with 1 for what would be missed or could not be read, if that counts", () => {
    const of = (health: Ending["health"], strict: boolean, unread: Forecast["unread"] = []) =>
      forecastExit({ ...found, endings: [{ ...root, health }], unread }, strict);
    assert.deepEqual([of("error", false), of("warning", true), of("warning", false), of("ok", true)], [2, 1, 0, 0]);
    assert.equal(of("ok", true, [{ what: "vm1", problem: "it could not be asked" }]), 1);
  });

  it("reads the CA from cacerts, without its key", async () => {
    const { config } = await healthyFacts();
    const read = (answer: string) =>
      readAuthority(config!, ([, what]) => Promise.resolve(what === "secret" ? answer : assert.fail(what)));
    assert.deepEqual(await read("root\n--\nca\n--\nchain\n--\n<no value>"), {
      rootCert: "root",
      caCert: "ca",
      certChain: "chain",
      lists: undefined,
      owner: undefined,
      annotations: {},
    });
    assert.deepEqual(await read(""), { problem: "there is no secret istio-system/cacerts" });
  });

  it("reads the roots of an existing mesh, and the CA that is provided", async () => {
    const { config } = await existingFacts();
    const { rootCerts } = existingControlPlane(
      findRevision(await readRevisions(meshKubectl()), "default"),
      meshObjects(),
    );
    assert.deepEqual(await readAuthority(config!, meshKubectl()), { rootCert: rootCerts });
    config!.ca = {
      provided: { rootCert: rootCerts, caCert: "ca", certChain: "chain", caKey: { secret: "caKey" } },
      rotation: { until: "retire", absent: "wait" },
    };
    assert.deepEqual(await readAuthority(config!, meshKubectl()), {
      rootCert: rootCerts,
      caCert: "ca",
      certChain: "chain",
    });
  });

  it("says why an existing mesh can't be read", async () => {
    const { config } = await existingFacts();
    const read = await readAuthority(config!, () => Promise.resolve('{"items":[]}'));
    assert.match(
      "problem" in read ? read.problem : "",
      /^the mesh that is there is not as the configuration needs it: /,
    );
  });

  describe("in a process of its own", () => {
    const DAYS = 86_400_000;
    let folder: string;
    before(async () => {
      const to = new Date(Date.now() + 30 * DAYS).toISOString();
      const { pem } = await issue({ subject: "CN=Root CA", ca: true, from: "2020-01-01T00:00:00Z", to });
      folder = fakeTools({
        kubectl: `case "$*" in *"get secret"*) printf '%s\\n--\\n' '${pem}' '${pem}' '${pem}' ;; esac`,
      });
    });
    after(() => rmSync(folder, { recursive: true }));
    const status = (...args: string[]) =>
      execa("node", ["--import", "tsx", "cli/main.ts", "status", ...args], {
        cwd: repository,
        env: { PATH: `${folder}:${process.env.PATH}` },
        reject: false,
      });

    it("looks 90 days ahead unless told otherwise", async () => {
      const { stdout, stderr, exitCode } = await status("--forecast", "--output=json", "--strict");
      assert.equal(exitCode, 1, stderr);
      const { at, until, endings, unread } = JSON.parse(stdout) as { at: string; until: string } & Forecast;
      assert.equal(Date.parse(until) - Date.parse(at), 90 * DAYS);
      assert.deepEqual(
        endings.map(({ kind, of, renewal }) => [kind, of, renewal.by]),
        [["root", "CN=Root CA", "pulumi up"]],
      );
      assert.deepEqual(
        unread.map(({ what }) => what),
        ["vm1"],
        "vm2 is gone",
      );
      const short = await status("--forecast", "3d");
      assert.equal(short.exitCode, 0, short.stderr);
      assert.match(short.stdout, /^nothing that could be read ends before .*; the next is root "CN=Root CA": /m);
    });

    it("refuses what is no span, and to watch", async () => {
      const wrong = await status("--forecast", "soon");
      assert.deepEqual([wrong.exitCode, wrong.stdout], [2, ""]);
      assert.match(wrong.stderr, /use a number and s, m, h or d, such as 90d/);
      const watched = await status("--forecast", "--watch");
      assert.deepEqual([watched.exitCode, watched.stdout], [2, ""]);
      assert.match(watched.stderr, /cannot be used with option '-w, --watch'/);
    });
  });
});
