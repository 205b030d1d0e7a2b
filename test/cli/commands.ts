import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { checkout } from "../../lab/paths";
import { GROUPS } from "../../diagnosis/checks/check";
import type { Site } from "./site";

const REPORT = z.strictObject({
  version: z.literal(1),
  at: z.iso.datetime(),
  seconds: z.number(),
  summary: z.strictObject({ ok: z.int(), warning: z.int(), error: z.int(), skipped: z.int() }),
  findings: z.array(
    z.strictObject({
      code: z.string().regex(/^IVM\d{3}$/),
      group: z.enum(GROUPS),
      title: z.string(),
      result: z.enum(["ok", "warning", "error", "skipped"]),
      message: z.string(),
      subject: z.string().optional(),
      fix: z.string().optional(),
      docs: z.string().regex(/^docs\/checks\.md#ivm\d{3}$/),
    }),
  ),
});

export function commands(site: Site): void {
  describe("npx istio-vm", () => {
    afterEach(() => site.configure(site.config));

    it("doctor prints a line a check and how many ended how, without colours or progress, and exits with 0", async () => {
      const { exitCode, stdout, stderr } = await site.cli(["doctor"]);
      assert.equal(exitCode, 0, stdout);
      assert.match(stdout, /^ {2}✓ IVM604 istiod can be reached: 2 of 2$/m);
      assert.match(stdout, /\n\d+ ok, 0 warnings, 0 errors, \d+ skipped, in [\d.]+ s$/);
      assert.doesNotMatch(stdout, /\x1b/);
      assert.equal(stderr, "");
    });

    it("doctor --output json prints the documented report, and no secret", async () => {
      const { stdout } = await site.cli(["doctor", "--output", "json"]);
      const { summary, findings } = REPORT.parse(JSON.parse(stdout));
      assert.equal(summary.error + summary.warning, 0);
      assert.equal(
        summary.ok + summary.warning + summary.error + summary.skipped,
        new Set(findings.map(({ code }) => code)).size,
      );
      assert.doesNotMatch(stdout, /PRIVATE KEY|BEGIN/);
    });

    it("doctor exits with 1 for warnings only with --strict, and with 2 for errors", async () => {
      site.configure({ ...site.config, exposure: { type: "NodePort", nodeAddresses: ["172.30.0.99"] } });
      assert.equal((await site.cli(["doctor"])).exitCode, 0);
      const { exitCode, stdout } = await site.cli(["doctor", "--strict"]);
      assert.equal(exitCode, 1);
      assert.match(stdout, /^ {2}! IVM307 .*\n +kubectl get nodes -o wide.* \(docs\/checks\.md#ivm307\)$/m);
      site.configure({ ...site.config, serviceCidr: "10.0.0.0/24" });
      assert.equal((await site.cli(["doctor"])).exitCode, 2);
    });

    it("status prints a line a host and a line a service, from a real request", async () => {
      site.configure({ ...site.config, hosts: (site.config.hosts as object[]).slice(0, 1) });
      const { exitCode, stdout } = await site.cli(["status"]);
      assert.equal(exitCode, 0, stdout);
      assert.match(stdout, /^✓ vm1 +1\.31\.0-\w+ +yes +cluster\.local\/ns\/vm\/sa\/vm1 +\d+ \w+ left +\S.*yes +none/m);
      assert.match(stdout, /^✓ vmhttp\.vm +vm1 +1 of 1 +HTTP 200 in \d+ ms$/m);
    });

    it("status tells of a host that is not joined, and exits with 2", async () => {
      const { exitCode, stdout } = await site.cli(["status"]);
      assert.equal(exitCode, 2);
      assert.match(stdout, /^✗ vm2 .*not joined$/m);
      const { hosts } = JSON.parse((await site.cli(["status", "--output", "json"])).stdout) as {
        hosts: { name: string; health: string }[];
      };
      assert.deepEqual(
        hosts.map(({ name, health }) => [name, health]),
        [
          ["vm1", "ok"],
          ["vm2", "error"],
        ],
      );
    });

    it("graph draws control plane, hosts and services, with their state", async () => {
      const { exitCode, stdout } = await site.cli(["graph"]);
      assert.equal(exitCode, 0);
      for (const line of [
        /^flowchart LR$/m,
        /^ +istiod\["istiod.*"\]:::ok$/m,
        /^ +host_vm1\["vm1<br\/>172\.30\.0\.21.*"\]:::ok$/m,
        /^ +host_vm2\["vm2.*not joined"\]:::error$/m,
        /^ +service_vmhttp_vm ==>\|mutual TLS\| host_vm1$/m,
        /^ +client_every_workload_of_the_mesh --> service_vmhttp_vm$/m,
      ]) {
        assert.match(stdout, line);
      }
    });

    it("explain finds no cause in the logs of a healthy mesh, and the known one in a text", async () => {
      site.configure({ ...site.config, hosts: (site.config.hosts as object[]).slice(0, 1) });
      const healthy = await site.cli(["explain"]);
      assert.equal(healthy.exitCode, 0, healthy.stdout);
      const log = readFileSync(join(checkout, "test/fixtures/logs/IVM901.cacerts.txt"), "utf8");
      const { exitCode, stdout } = await site.cli(["explain", "-"], {}, log);
      assert.equal(exitCode, 2);
      assert.match(stdout, /IVM901/);
    });

    it("logs prints what a host's sidecar and istiod say", async () => {
      const host = await site.cli(["logs", "vm1", "--lines", "500"]);
      assert.equal(host.exitCode, 0, host.stderr);
      assert.match(host.stdout, /Envoy proxy is ready|cache\tgenerated new workload certificate/);
      const istiod = await site.cli(["logs", "istiod", "--lines", "5"]);
      assert.equal(istiod.exitCode, 0, istiod.stderr);
      assert.equal(istiod.stdout.split("\n").length, 5, istiod.stdout);
      const unknown = await site.cli(["logs", "vm7"]);
      assert.equal(unknown.exitCode, 2);
      assert.match(unknown.stderr, /vm7.*vm1, vm2/);
    });

    it("says in a line why it can do nothing, and exits with 2", async () => {
      const { exitCode, stderr, stdout } = await site.cli(["status", "--stack", "nowhere"]);
      assert.equal(exitCode, 2);
      assert.equal(stdout, "");
      assert.match(stderr, /^istio-vm: the stack can't be read: .*nowhere.*$/);
      assert.equal((await site.cli(["doctor", "--colour"])).exitCode, 2);
    });
  });
}
