import assert from "node:assert/strict";
import { readPage, untilVmIsAnswered } from "../e2e/mesh";
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
    const ofPod = await untilVmIsAnswered(lab, "vm1", POD);
    assert.match(ofPod, /^Hostname=pod$/m);
    const who = clientIn(ofPod);
    assert.equal(who, "spiffe://cluster.local/ns/vm/sa/vm1", ofPod);
    const { page, server, client } = readPage(await untilVmIsAnswered(lab, "vm1", VM));
    assert.match(page, /^This is vm2\./);
    assert.deepEqual([server, client], ["spiffe://cluster.local/ns/vm/sa/vm2", who]);
    return [
      [`vm1: curl ${POD}`, `the pod was asked by ${who}`],
      [`vm1: curl ${VM}`, `${server} was asked by ${client}`],
    ];
  },
};
