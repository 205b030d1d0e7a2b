import assert from "node:assert/strict";
import { copyFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { artifactPath } from "../../lab/artifacts";
import { type Lab, node, vmByName } from "../../lab/paths";
import { sidecar } from "../../lab/recipes/sidecar";
import { vmExec } from "../../lab/vm";
import { Cloud } from "../e2e/existing/cloud";
import { idOf, kubectl, podAddress, readPage, untilPodSees, untilVmIsAnswered } from "../e2e/mesh";
import { clientIn, echoInPod, PORTS } from "../support/echo";
import type { Example, Row } from "./example";
import { closeSite, moveThere, openSite, reachThere, SITE } from "./otherSite";

const GATEWAY = "vm1";
const HOSTS = ["vm2", "vm3"];
const urlOf = (name: string) => `http://on-${name}.vm:8080`;

const cloud = new Cloud(SITE.address, SITE.link, [15012, 15443]);
/** What is sent to the machines, which can't fetch it. */
const packageOf = (lab: Lab) => join(lab.state, "istio-sidecar.deb");

/** Whether a TCP connection can be had, from where `run` runs a script. */
const reaches = async (run: (script: string) => Promise<string>, address: string, port: number) =>
  (await run(`timeout 3 bash -c 'exec 3<>/dev/tcp/${address}/${port}' 2>/dev/null && echo yes || echo no`)).trim();
const onHost = (lab: Lab, name: string) => (script: string) => vmExec(lab, name, ["sh", "-c", script]);
const inPod = (script: string) =>
  kubectl("exec", "deploy/sleep", "--container=istio-proxy", "--", "bash", "-c", script);

/** There is no route: neither from pods to hosts, nor from hosts to pods, nodes and services. */
async function assertApart(lab: Lab): Promise<Row> {
  const pod = await podAddress("pod");
  for (const name of HOSTS) {
    assert.equal(await reaches(inPod, vmByName(lab, name).elsewhere, 8080), "no", `the pod reaches ${name}`);
    for (const [address, port] of [
      [pod, PORTS.http],
      [vmByName(lab, GATEWAY).address, 22],
      [node.address, 6443],
    ] as const) {
      assert.equal(await reaches(onHost(lab, name), address, port), "no", `${name} reaches ${address}:${port}`);
    }
  }
  assert.equal(await reaches(inPod, vmByName(lab, GATEWAY).address, 15443), "yes", "the gateway");
  return ["pod to vm2 and vm3, they to pods and nodes, by their addresses", "no route"];
}

/** Pods and hosts without a route between them, by a gateway at each end. */
export const otherNetwork: Example = {
  vms: [GATEWAY, ...HOSTS],
  pods: ["pod"],
  async prepare(lab) {
    await openSite();
    for (const name of HOSTS) await moveThere(lab, name);
    await reachThere(lab, GATEWAY);
    copyFileSync(join(artifactPath(sidecar), "istio-sidecar.deb"), packageOf(lab));
    await cloud.begin();
    cloud.give("istio-vm", "istio-vm-gateway", "ip");
  },
  async show(lab) {
    await echoInPod(lab, "pod", "default");
    const rows = [await assertApart(lab)];
    for (const name of HOSTS) {
      const isIt = ({ page }: { page: string }) => page.startsWith(`This is ${name}.`);
      const { server, client } = await untilPodSees(`${name}'s page`, isIt, urlOf(name));
      assert.deepEqual([server, client], [idOf("vm", name), idOf("default", "sleep")]);
      rows.push([`pod: curl ${urlOf(name)}`, `${server} was asked by ${client}`]);
    }
    const url = `http://pod.default:${PORTS.http}`;
    const page = await untilVmIsAnswered(lab, "vm2", url);
    assert.match(page, /^Hostname=pod$/m);
    assert.equal(clientIn(page), idOf("vm", "vm2"), page);
    rows.push([`vm2: curl ${url}`, `the pod was asked by ${idOf("vm", "vm2")}`]);

    const { page: own, server, client } = readPage(await untilVmIsAnswered(lab, "vm2", urlOf("vm3")));
    assert.match(own, /^This is vm3\./);
    assert.deepEqual([server, client], [idOf("vm", "vm3"), idOf("vm", "vm2")]);
    // Not by way of the gateway.
    const peers = await vmExec(lab, "vm3", ["ss", "-Htn", "state", "established", "sport = :15006"]);
    assert.ok(peers.includes(vmByName(lab, "vm2").elsewhere), peers);
    rows.push([`vm2: curl ${urlOf("vm3")}`, `${server} was asked by ${client}, directly`]);
    return rows;
  },
  async end(lab) {
    await cloud.end();
    await closeSite();
    rmSync(packageOf(lab), { force: true });
  },
};
