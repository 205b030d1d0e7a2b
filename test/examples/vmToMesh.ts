import assert from "node:assert/strict";
import { until } from "../../lab/run";
import { vmExec } from "../../lab/vm";
import { readPage } from "../e2e/mesh";
import { clientIn, echoInPod, PORTS } from "../support/echo";
import type { Example } from "./example";

const POD = `http://pod.default:${PORTS.http}`;
const VM = "http://vmhttp.vm:8080";

/** A program on vm1 asks a pod, and vm2. */
export const vmToMesh: Example = {
  vms: ["vm1", "vm2"],
  pods: ["pod"],
  async show(lab) {
    await echoInPod(lab, "pod", "default");
    /** Until it is answered: the sidecar learns of a new service some moments after the cluster. */
    const ask = async (url: string) => {
      let said = "";
      await until(
        `an answer to vm1 from ${url}`,
        30,
        async () => {
          said = await vmExec(lab, "vm1", [
            "sh",
            "-c",
            `curl --silent --show-error --fail --max-time 5 ${url} 2>&1 || :`,
          ]);
          return !/^curl:/m.test(said);
        },
        () => said,
      );
      return said;
    };
    const ofPod = await ask(POD);
    assert.match(ofPod, /^Hostname=pod$/m);
    const who = clientIn(ofPod);
    assert.equal(who, "spiffe://cluster.local/ns/vm/sa/vm1", ofPod);
    const { page, server, client } = readPage(await ask(VM));
    assert.match(page, /^This is vm2\./);
    assert.deepEqual([server, client], ["spiffe://cluster.local/ns/vm/sa/vm2", who]);
    return [
      [`vm1: curl ${POD}`, `the pod was asked by ${who}`],
      [`vm1: curl ${VM}`, `${server} was asked by ${client}`],
    ];
  },
};
