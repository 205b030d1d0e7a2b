import assert from "node:assert/strict";
import { until } from "../../lab/run";
import { vmExec } from "../../lab/vm";
import { SERVICE_URL, sharesOf } from "../e2e/mesh";
import type { Example, Row } from "./example";

const VMS = ["vm1", "vm2", "vm3"];
const REQUESTS = 60;

/** Until these answer, each at least once, no other does, and no request fails. */
async function untilShared(among: string[]): Promise<string> {
  let shares = new Map<string, number>();
  await until(
    `${REQUESTS} requests to be answered by ${among.join(", ")}`,
    30,
    async () => {
      shares = await sharesOf(REQUESTS);
      const answered = [...shares.values()].reduce((a, b) => a + b, 0);
      return answered === REQUESTS && shares.size === among.length && among.every((name) => shares.has(name));
    },
    () => JSON.stringify([...shares]),
  );
  const [heavy, ...others] = among.map((name) => shares.get(name)!);
  assert.ok(
    others.every((one) => heavy! > one),
    "vm1 has the greatest weight",
  );
  return among.map((name) => `${name} ${shares.get(name)}`).join(", ");
}

/** Three hosts behind one service, of which one falls sick and gets well. */
export const severalHosts: Example = {
  vms: VMS,
  async show(lab): Promise<Row[]> {
    const all = await untilShared(VMS);
    await vmExec(lab, "vm2", ["systemctl", "stop", "app"]);
    const without = await untilShared(["vm1", "vm3"]);
    await vmExec(lab, "vm2", ["systemctl", "start", "app"]);
    const again = await untilShared(VMS);
    return [
      [`pod: ${REQUESTS} times curl ${SERVICE_URL}`, all],
      ["vm2's application is stopped", without],
      ["... and started", again],
    ];
  },
};
