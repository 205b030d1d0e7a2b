import assert from "node:assert/strict";
import { execa } from "execa";
import { until } from "../../../lab/run";
import { ask, PORTS } from "../../support/echo";
import { askPlainly, podAddress, untilPlainly, withStrictTls } from "../mesh";
import { type Places, SPOKEN } from "./places";

/** What was not asked for, and who is not in the mesh. */
export function sparing(places: Places) {
  it("UDP goes its way, also to a port that is among the inbound ones", async () => {
    for (const from of ["pod", "vm2"]) {
      const answer = await ask(places.place(from), `udp://${places.addressOf("vm1")}:${PORTS.udp}`);
      assert.equal(answer.hostname, "vm1", answer.said);
    }
    const answer = await ask(places.place("vm1"), `udp://${await podAddress("pod")}:${PORTS.udp}`);
    assert.equal(answer.hostname, "pod", answer.said);
  });

  it("what comes to other ports goes its way", async () => {
    await withStrictTls(async () => {
      await untilPlainly("refused", places.addressOf("vm1"), PORTS.http);
      assert.equal(await askPlainly(places.addressOf("vm1"), 8080), "answered");
    });
  });

  it("a client without a sidecar is answered where the server speaks first, after the time for detection", async () => {
    const address = places.addressOf("vm1");
    const greeting = `exec 3<>/dev/tcp/${address}/${PORTS.serverFirst} && timeout 5 head -c 12 <&3`;
    await until("a greeting", 20, async () => {
      const { stdout } = await execa("bash", ["-c", greeting], { reject: false });
      return stdout === "server-first";
    });
    const answer = await places.ask("vm2", SPOKEN["TCP, server first"], address);
    assert.equal(answer.hostname, "vm1", answer.said);
  });
}
