import assert from "node:assert/strict";
import pc from "picocolors";
import { render } from "../../../cli/doctor";
import { exitCode } from "../../../cli/output";
import type { Finding } from "../../../diagnosis/checks/check";

const finding = (code: Finding["code"], result: Finding["result"], more: Partial<Finding> = {}): Finding => ({
  code,
  group: "hosts",
  title: `title of ${code}`,
  message: "",
  result,
  ...more,
});

describe("doctor's report", () => {
  const findings = [
    finding("IVM101", "ok", { group: "tools", message: "v3" }),
    finding("IVM701", "ok", { subject: "vm1" }),
    finding("IVM701", "ok", { subject: "vm2" }),
    finding("IVM702", "ok", { subject: "vm1" }),
    finding("IVM702", "error", { subject: "vm2", message: "vm2: it runs", fix: "stop it" }),
    finding("IVM703", "skipped", { subject: "vm1", message: "vm1 could not be asked" }),
    finding("IVM703", "skipped", { subject: "vm2", message: "vm2 could not be asked" }),
    finding("IVM704", "warning", { message: "hm", fix: "look" }),
  ];

  it("is a line a check, and below it what to do", () => {
    assert.deepEqual(
      render(findings, 1.2, pc.createColors(false))
        .split("\n")
        .filter((line) => /IVM|^ {11}|ok/.test(line)),
      [
        "  ✓ IVM101 title of IVM101: v3",
        "  ✓ IVM701 title of IVM701: 2 of 2",
        "  ✗ IVM702 vm2: it runs",
        "           stop it   (docs/checks.md#ivm702)",
        "  - IVM703 title of IVM703: skipped, vm1 could not be asked (and 1 more)",
        "  ! IVM704 hm",
        "           look   (docs/checks.md#ivm704)",
        "2 ok, 1 warning, 1 error, 1 skipped, in 1.2 s",
      ],
    );
  });

  it("is coloured for a terminal only", () => {
    assert.match(render(findings, 1, pc.createColors(true)), /\x1b\[31m✗/);
    assert.doesNotMatch(render(findings, 1, pc.createColors(false)), /\x1b/);
  });

  it("ends with 2 for errors, with 1 for warnings that count, else with 0", () => {
    const of = (...results: string[]) => results.map((result) => ({ result }));
    assert.equal(exitCode(of("ok", "skipped"), true), 0);
    assert.equal(exitCode(of("ok", "warning"), false), 0);
    assert.equal(exitCode(of("ok", "warning"), true), 1);
    assert.equal(exitCode(of("warning", "error"), false), 2);
  });
});
