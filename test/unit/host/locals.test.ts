import assert from "node:assert/strict";
import { hostScripts } from "../../../ssh/bundle";

/** What a line of shell sets: by `name=`, `for name in` or `read -r names`. */
function setBy(line: string): string[] {
  return [
    ...[...line.matchAll(/(?:^|[;&|({]|\b(?:then|do|if|else|!))\s*((?:\w+=(?:\$\([^)]*\)|"[^"]*"|'[^']*'|\S)*\s*)+)/g)]
      .flatMap(([, assignments = ""]) => [...assignments.matchAll(/(?:^|\s)([a-z_]+)=/g)])
      .map(([, name = ""]) => name),
    ...[...line.matchAll(/\bfor (\w+) in\b/g)].map(([, name = ""]) => name),
    ...[...line.matchAll(/\bread -r ([a-z_ ]+)/g)].flatMap(([, names = ""]) => names.trim().split(/\s+/)),
  ];
}

/** Variables that a function sets although they are not its own. Those of the scripts as a whole have capitals. */
function shared(script: string): string[] {
  const found: string[] = [];
  for (const [, name, body = ""] of script.matchAll(/^(\w+)\(\) [{(]\n([\s\S]*?)^[})]$/gm)) {
    // But for comments, and variables of awk.
    const lines = body.split("\n").map((line) => line.replace(/(^|\s)# .*/, "").replaceAll(/-v \w+=/g, ""));
    const own = lines.flatMap((line) => /^\s*local (.*)$/.exec(line)?.[1]?.split(" ") ?? []);
    for (const each of lines.flatMap(setBy)) if (each !== "_" && !own.includes(each)) found.push(`${name}: ${each}`);
  }
  return found;
}

const namesIn = (script: string) => [...script.matchAll(/^(\w+)\(\) [{(]/gm)].map(([, name = ""]) => name);

describe("functions of the host scripts", () => {
  it("set no variables in small letters but their own", () => {
    for (const [file, script] of Object.entries(hostScripts())) assert.deepEqual(shared(script), [], file);
  });

  it("have each a name of its own, for all are sourced into one shell", () => {
    const { "rpm.sh": rpm, ...rest } = hostScripts(); // or deb.sh
    const names = Object.values(rest).flatMap(namesIn);
    assert.deepEqual(
      names.filter((name, index) => names.indexOf(name) !== index),
      [],
    );
    const others = names.filter((name) => !namesIn(rest["deb.sh"]!).includes(name));
    assert.deepEqual(
      namesIn(rpm!).filter((name) => others.includes(name)),
      [],
    );
  });

  it("are the same for each format of packages, but for its own helpers", () => {
    const verbs = (file: string) =>
      [...hostScripts()[file]!.matchAll(/^(package_\w+(?=\(\))|(?:PACKAGE|KEPT)_[A-Z]+(?==))/gm)]
        .map(([name]) => name)
        .sort();
    assert.deepEqual(verbs("deb.sh"), verbs("rpm.sh"));
  });

  it("would be caught at it", () => {
    const script = `f() {\n  local a c\n  a=1 b="$a x" c=2\n  for d in 1; do e=$(x); done\n  echo | while read -r g c; do :; done\n}\n`;
    assert.deepEqual(shared(script), ["f: b", "f: e", "f: d", "f: g"]);
  });
});
