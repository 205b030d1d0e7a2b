import assert from "node:assert/strict";
import { mkdtempSync, openSync, closeSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { before, render, report, type Readings } from "../../../cli/explain";
import { colours } from "../../../cli/output";
import { explain } from "../../../diagnosis/causes";
import { fakeTools } from "./fakeTools";

const repository = join(__dirname, "..", "..", "..");
const fixture = (file: string) => readFileSync(join(repository, "test", "fixtures", "logs", file), "utf8");
const plain = colours(false);

const vm = (where: string, file: string) => ({ where, writer: "host" as const, text: fixture(file) });
const readings: Readings = {
  logs: [vm("vm1", "IVM921.txt"), vm("vm2", "IVM921.txt"), vm("vm3", "IVM941.txt"), vm("vm4", "IVM906.txt")],
  unread: [{ where: "vm5", problem: "172.30.0.25:22 does not answer within 10 s" }],
};
readings.logs.push({ where: "vm4", writer: "host", text: "2026-11-23T19:00:00Z\tinfo\tEnvoy proxy is ready" });

describe("cli/explain", () => {
  it("shows a cause once, with every place, one line and the fix; what is over without them", () => {
    const lines = render(explain(readings.logs), readings, plain).split("\n");
    const refused = lines.slice(0, lines.indexOf(""));
    assert.deepEqual(
      refused.map((line) => line.slice(0, 74)),
      [
        "✗ IVM921 nothing listens at istiod's address",
        "  vm1: 172.30.0.10:31999 refuses connections: istiod does not run, or list",
        "    3 lines, 2026-11-23 17:52:13 UTC",
        "  vm2: 172.30.0.10:31999 refuses connections: istiod does not run, or list",
        "    3 lines, 2026-11-23 17:52:13 UTC",
        "    | 2026-11-23T17:52:13.524195Z warn sds failed to warm certificate: fai",
        "    kubectl -n istio-system get pods,services; pulumi stack output istiod;",
      ],
    );
    assert.match(refused.at(-1)!, /\(docs\/causes\.md#ivm921\)$/);
    const rest = lines.slice(refused.length + 1);
    assert.deepEqual(
      rest.filter((line) => !line.startsWith(" ")),
      [
        "! IVM941 an AuthorizationPolicy refuses requests",
        "",
        "- IVM906 a key does not belong to its certificate: over",
        "",
        "✗ vm5 could not be asked: 172.30.0.25:22 does not answer within 10 s",
        "",
        "2 errors, 1 warning, 1 over; in the logs of vm1, vm2, vm3, vm4",
      ],
    );
    assert.ok(rest.includes("    2 lines, 2026-11-23 17:58:21 to 17:58:52 UTC"));
    const over = rest.indexOf("- IVM906 a key does not belong to its certificate: over");
    assert.equal(rest.indexOf("", over) - over, 3, "neither a line nor a fix");
  });

  it("says so if there is nothing", () => {
    const nothing = { logs: [vm("vm1", "healthy.host.txt")], unread: [] };
    assert.equal(render([], nothing, plain), "no known cause of trouble in the logs of vm1");
  });

  it("reports the same as JSON", () => {
    const { findings, ...rest } = report(explain(readings.logs), readings, new Date(0));
    assert.deepEqual(rest, {
      version: 1,
      at: "1970-01-01T00:00:00.000Z",
      read: ["vm1", "vm2", "vm3", "vm4"],
      unread: readings.unread,
      summary: { error: 2, warning: 1, past: 1 },
    });
    assert.deepEqual(
      findings.map(({ code, where, result, docs }) => [code, where, result, docs]),
      [
        ["IVM921", "vm1", "error", "docs/causes.md#ivm921"],
        ["IVM921", "vm2", "error", "docs/causes.md#ivm921"],
        ["IVM941", "vm3", "warning", "docs/causes.md#ivm941"],
        ["IVM906", "vm4", "past", "docs/causes.md#ivm906"],
      ],
    );
    assert.equal(findings[0]!.first, "2026-11-23T17:52:13.523Z");
  });

  it("reads a span of time", () => {
    const now = new Date("2026-11-23T12:00:00Z");
    assert.equal(before(now, "90s").toISOString(), "2026-11-23T11:58:30.000Z");
    assert.equal(before(now, "2h").toISOString(), "2026-11-23T10:00:00.000Z");
    assert.equal(before(now, "7d").toISOString(), "2026-11-16T12:00:00.000Z");
    for (const wrong of ["", "2", "h", "1.5h", "-2h", "2w"]) assert.throws(() => before(now, wrong), /--since is/);
  });

  describe("in a process of its own", () => {
    const run = (
      args: string[],
      options: object,
      stdin: { input: string } | { stdin: number },
      path = "/nonexistent",
    ) => {
      const code = `require("./cli/explain").explain(${JSON.stringify({ output: "json", strict: false, lines: 9, ...options })}, ${JSON.stringify(args)}).then((code) => (process.exitCode = code))`;
      const settings = { cwd: repository, reject: false, env: { PATH: path } };
      return execa(process.execPath, ["-r", "tsx/cjs", "-e", code], { ...settings, ...stdin });
    };
    const found = ({ stdout }: { stdout: string }) =>
      (JSON.parse(stdout) as ReturnType<typeof report>).findings.map(({ code, where }) => `${code} ${where}`);

    it("- reads stdin, whatever it is; errors are 2", async () => {
      const outcome = await run(["-"], {}, { input: fixture("IVM921.txt") });
      assert.equal(outcome.exitCode, 2, outcome.stderr);
      assert.deepEqual(found(outcome), ["IVM921 stdin"]);
    });

    it("warnings are 0, and 1 if they shall count; nothing is 0", async () => {
      const input = fixture("IVM941.txt");
      assert.equal((await run(["-"], {}, { input })).exitCode, 0);
      assert.equal((await run(["-"], { strict: true }, { input })).exitCode, 1);
      const healthy = await run(["-"], { strict: true }, { input: fixture("healthy.istiod.txt") });
      assert.deepEqual([healthy.exitCode, found(healthy)], [0, []]);
    });

    it("a file on stdin is read without -", async () => {
      const folder = mkdtempSync(join(tmpdir(), "istio-vm-explain-"));
      writeFileSync(join(folder, "log"), fixture("IVM913.txt"));
      const stdin = openSync(join(folder, "log"), "r");
      try {
        assert.deepEqual(found(await run([], {}, { stdin })), ["IVM913 stdin"]);
      } finally {
        closeSync(stdin);
        rmSync(folder, { recursive: true });
      }
    });

    it("a pipe is not: it may never end", async () => {
      const outcome = await run([], {}, { input: fixture("IVM913.txt") });
      assert.match(outcome.stderr, /the stack can't be read: pulumi is not on the PATH/);
    });

    it("tells of logs that could not be read, and ends with 2; a host that is gone is not asked", async () => {
      const folder = fakeTools();
      try {
        const { stdout, stderr, exitCode } = await run([], {}, { input: "" }, folder);
        assert.equal(exitCode, 2, stderr);
        const { read, unread } = JSON.parse(stdout) as ReturnType<typeof report>;
        assert.deepEqual(read, []);
        assert.deepEqual(unread.map(({ where, problem }) => `${where}: ${problem.slice(0, 27)}`).sort(), [
          "istiod: kubectl is not on the PATH",
          "vm1: 10.0.0.3: /dev/null has no ",
        ]);
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  });
});
