import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { assignment, quote } from "../../../mesh/shell";
import { withDirectory } from "../support";

/** Texts that shells stumble over, and any others; as many as one run of a shell shall see. */
const texts = (text: fc.Arbitrary<string>) =>
  fc.array(
    fc.oneof(
      text,
      fc.string({ unit: fc.constantFrom(..."'\"\\$`!*?[]{}()<>|&;~#= \té\u0081%\n"), maxLength: 20 }),
      fc.constantFrom("", "-n", "--", "~", "~root", "$(exit 3)", "a=~", "\\", "!!", "\n", "a\n\n", "'", '"'),
    ),
    { minLength: 50, maxLength: 50 },
  );
const anyText = fc.string({ unit: "binary" }).map((text) => text.replaceAll("\0", ""));
const RUNS = { numRuns: 8 };

const lastOf = (output: string) => output.split("\0").slice(0, -1);

describe("quote", () => {
  for (const shell of ["sh", "bash"]) {
    it(`makes any text one word of ${shell}`, () => {
      fc.assert(
        fc.property(texts(anyText), (words) => {
          const script = `printf '%s\\0' ${words.map(quote).join(" ")}`;
          assert.deepEqual(lastOf(execFileSync(shell, ["-s"], { input: script, encoding: "utf8" })), words);
        }),
        RUNS,
      );
    });
  }

  it("refuses a NUL", () => assert.throws(() => quote("a\0b"), /can't hold a NUL/));
});

describe("assignment", () => {
  for (const shell of ["sh", "bash"]) {
    it(`gives the variable any value of one line when ${shell} sources the file`, () =>
      withDirectory((directory) => {
        const file = join(directory, "cluster.env");
        // Files that a glob of the value would find.
        writeFileSync(join(directory, "V0=a"), "");
        fc.assert(
          fc.property(texts(anyText), (generated) => {
            const values = generated.map((value) => value.replaceAll(/[\r\n]/g, ""));
            writeFileSync(file, values.map((value, n) => `${assignment(`V${n}`, value)}\n`).join(""));
            const print = `set -a; . ./cluster.env; sh -c 'printf "%s\\0" ${values.map((_, n) => `"$V${n}"`).join(" ")}'`;
            const output = execFileSync(shell, ["-c", print], { cwd: directory, encoding: "utf8" });
            assert.deepEqual(lastOf(output), values);
          }),
          RUNS,
        );
      }));
  }

  it("leaves alone what needs no quotes", () => {
    for (const value of ["", "*", "10.32.0.0/24", "3306,8080", "cluster.local", "a@b:c+d=e%f_g-h"]) {
      assert.equal(assignment("NAME", value), `NAME=${value}`);
    }
    assert.equal(assignment("NAME", `a "b" $c`), String.raw`NAME="a \"b\" \$c"`);
  });

  it("refuses what a line can't hold", () => {
    for (const value of ["a\nb", "a\rb", "a\0b"]) assert.throws(() => assignment("A", value), /value of A has a line/);
    for (const name of ["", "1A", "A-B", "A B", "A\n"]) assert.throws(() => assignment(name, ""), /is no name for/);
  });
});
