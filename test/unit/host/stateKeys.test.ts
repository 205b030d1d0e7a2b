import assert from "node:assert/strict";
import { hostScripts } from "../../../ssh/bundle";
import { STATE_KEYS } from "../../../mesh/hostState";

/** What the scripts read of a state: `fact KEY` or `facts KEY`, outside of comments. */
function readings(): string[] {
  const code = Object.values(hostScripts())
    .join("\n")
    .replaceAll(/^\s*#.*$/gm, "");
  return [...code.matchAll(/\b(facts?) ([a-z][\w.-]*)/g)].map(([reading]) => reading);
}

describe("the keys of a state", () => {
  it("are read by the host scripts as their table says, one line or all, and no others are", () => {
    const declared = Object.entries(STATE_KEYS)
      .filter(([, { reader }]) => reader === "scripts")
      .map(([key, { once }]) => `${once ? "fact" : "facts"} ${key}`);
    assert.deepEqual([...new Set(readings())].sort(), declared.sort());
  });
});
