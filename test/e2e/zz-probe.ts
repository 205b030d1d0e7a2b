import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Story } from "./story";
import { tracesOf } from "../support/privateKeys";
async function main() {
  const s = new Story();
  await s.begin();
  const log = join(s.folder, "first-up.log");
  await s.bring(s.config, `--event-log=${log}`); console.log(Date.now()/1000|0, "up");
  const visit = (v: unknown, path: string): void => {
    if (typeof v === "string") {
      for (const k of s.keys) tracesOf(k).forEach((t, i) => { if (v.includes(t)) console.log(path, i, k.split("\n").length, t.length, k.split("\n")[0], v.slice(0, 50).replaceAll(/\n/g, "|")); });
    } else if (v && typeof v === "object") for (const [n, x] of Object.entries(v)) visit(x, `${path}.${n}`);
  };
  readFileSync(log, "utf8").trim().split("\n").forEach((l, i) => { const e = JSON.parse(l); const m = e.resourcePreEvent?.metadata ?? e.resOutputsEvent?.metadata; visit(e, `${i} ${m?.op} ${m?.urn.split("::").at(-1)}`); });
  await s.end();
}
main().catch((e) => { console.error(e); process.exit(1); });
