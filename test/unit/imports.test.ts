import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";

const checkout = join(__dirname, "../..");

/** From what others build on to what builds on others. A folder imports from those before it, and from itself. */
const FLOORS = [
  ["mesh"],
  ["config"],
  ["diagnosis"],
  ["tools", "ssh"],
  ["components"],
  ["installation.ts", "hosts.ts"],
  ["index.ts", "cli"],
];
/** Equipment: it may use the product, which knows nothing of it. */
const OUTSIDE = ["lab", "standins", "bench", "test"];

const floorOf = (room: string) => FLOORS.findIndex((rooms) => rooms.includes(room));

function importsOf(file: string): string[] {
  const text = readFileSync(join(checkout, file), "utf8");
  return [...text.matchAll(/(?:from|import|require\() ?"(\.[^"]*)"/g)].map(([, path = ""]) =>
    relative(checkout, join(checkout, dirname(file), path)),
  );
}

describe("imports of the product", () => {
  const rooms = FLOORS.flat();
  const files = rooms.flatMap((room) =>
    room.endsWith(".ts")
      ? [room]
      : readdirSync(join(checkout, room), { recursive: true, encoding: "utf8" })
          .filter((file) => /\.(ts|cjs)$/.test(file))
          .map((file) => join(room, file)),
  );
  const roomOf = (path: string) => path.split(sep)[0]!;
  const imports = files.flatMap((from) => importsOf(from).map((to) => ({ from, to })));

  it("run one way, from what builds on others to what others build on", () => {
    assert.ok(imports.length > 200);
    const upward = imports.filter(({ from, to }) => {
      const [above, below] = [roomOf(from), roomOf(to)];
      return above !== below && floorOf(below) >= floorOf(above);
    });
    assert.deepEqual(upward, []);
  });

  it("never lead to the lab, the stand-ins or the tests", () => {
    assert.deepEqual(
      imports.filter(({ to }) => OUTSIDE.includes(roomOf(to))),
      [],
    );
  });

  it("know every folder of the product", () => {
    const folders = readdirSync(checkout, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !/^\.|^node_modules$/.test(entry.name))
      .map(({ name }) => name);
    assert.deepEqual(
      folders.filter((name) => ![...rooms, ...OUTSIDE, "host", "docs", "examples"].includes(name)),
      [],
    );
  });
});
