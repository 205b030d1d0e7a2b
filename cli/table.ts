import Table from "cli-table3";
import type { Health } from "../diagnosis/status";
import { colours } from "./output";

/** Rows under headings, in columns without lines, for a terminal. */
export function table(headings: string[], rows: string[][]): string {
  const none = {
    top: "",
    "top-mid": "",
    "top-left": "",
    "top-right": "",
    bottom: "",
    "bottom-mid": "",
    "bottom-left": "",
  };
  const blank = {
    "bottom-right": "",
    left: "",
    "left-mid": "",
    mid: "",
    "mid-mid": "",
    right: "",
    "right-mid": "",
    middle: "  ",
  };
  const style = { "padding-left": 0, "padding-right": 0, head: [], border: [] };
  const lines = new Table({ head: headings, chars: { ...none, ...blank }, style });
  lines.push(...rows);
  return lines.toString().replace(/ +$/gm, "");
}

/** The same with a mark before each row. @param of how each row is */
export function markedTable(headings: string[], rows: string[][], of: { health: Health }[], paint = colours()): string {
  const marks = { ok: paint.green("✓"), warning: paint.yellow("!"), error: paint.red("✗") };
  return table(
    headings.map((heading, index) => paint.dim(index === 0 ? `  ${heading}` : heading)),
    rows.map(([first, ...rest], index) => [`${marks[of[index]!.health]} ${first}`, ...rest]),
  );
}
