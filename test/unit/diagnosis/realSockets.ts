import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseSocket, type Socket } from "../../../diagnosis/sockets";

/** What `ss -Htlnp; ss -Htnp` printed on machines of the lab: on one that is yet to join, and on one that is joined. */
export const socketsOf = (machine: "new" | "joined"): Socket[] =>
  readFileSync(join(__dirname, "../../fixtures/sockets", `${machine}.txt`), "utf8")
    .split("\n")
    .flatMap((line) => parseSocket(line) ?? []);
