import assert from "node:assert/strict";
import { until } from "../../lab/run";
import { vmExec } from "../../lab/vm";
import { kubectl, SERVICE_URL } from "../e2e/mesh";
import type { Example, Row } from "./example";

const VMS = ["vm1", "vm2", "vm3"];
const REQUESTS = 60;

/** Who answers, of so many requests of the pod. */
async function share(): Promise<Map<string, number>> {
  const script = `for i in $(seq ${REQUESTS}); do curl --silent --max-time 5 ${SERVICE_URL} | head -n 1; done`;
  const pages = await kubectl("exec", "deploy/sleep", "--container=sleep", "--", "sh", "-c", script);
  const names = pages.match(/(?<=^This is )\w+/gm) ?? [];
  return new Map(VMS.map((name) => [name, names.filter((each) => each === name).length]));
}

/** Until these answer, each at least once, no other does, and no request fails. */
async function untilShared(among: string[]): Promise<string> {
  let shares = new Map<string, number>();
  await until(
    `${REQUESTS} requests to be answered by ${among.join(", ")}`,
    30,
    async () => {
      shares = await share();
      return (
        [...shares.values()].reduce((a, b) => a + b) === REQUESTS &&
        VMS.every((name) => shares.get(name)! > 0 === among.includes(name))
      );
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
