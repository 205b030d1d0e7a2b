import Table from "cli-table3";

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
