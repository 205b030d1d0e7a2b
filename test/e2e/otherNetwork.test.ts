/** Pods and hosts without a route between them, by a gateway at each end. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { artifactPath } from "../../lab/artifacts";
import { labByName, vmByName } from "../../lab/paths";
import { sidecar } from "../../lab/recipes/sidecar";
import { until } from "../../lab/run";
import { resetVm, vmExec } from "../../lab/vm";
import { echoInPod, PORTS } from "../support/echo";
import { becomesSame, type Snapshot } from "../support/snapshot";
import { labConfig, operatorSpecOf, type StackConfig, TestStack, withOperatorSpec } from "../support/testStack";
import { snapshotVm } from "../support/vmSnapshot";
import { Cloud } from "./existing/cloud";
import { kubectl, readPage, untilPodSees } from "./mesh";
import { closeSite, moveThere, openSite, reachThere, SITE, siteAddress } from "./networks/otherSite";

const GATEWAY = "vm1";
const HOSTS = ["vm2", "vm3"];
const idOf = (name: string) => `spiffe://cluster.local/ns/vm/sa/${name}`;
const urlOf = (name: string) => `http://on-${name}.vm.svc.cluster.local:8080`;

describe("hosts of another network, without a route", () => {
  const lab = labByName();
  const stack = new TestStack();
  const cloud = new Cloud(SITE.address, SITE.link, [15012, 15443]);
  const earlier = new Map<string, Snapshot>();

  function config(): StackConfig {
    const { values, ...spec } = operatorSpecOf(labConfig()) as { values: { global: object } };
    const global = { ...values.global, network: "cluster" };
    const base = withOperatorSpec(labConfig(), { ...spec, values: { ...values, global } });
    const host = (name: string, address: string, more: object) => {
      const hostKey = readFileSync(join(vmByName(lab, name).folder, "host_key.pub"), "utf8").split(" ");
      return {
        ...{ name, namespace: "vm", address, network: "site", ...more },
        ssh: { hostKey: hostKey.slice(0, 2).join(" ").trim() },
      };
    };
    const { sha256 } = base.sidecar as { sha256: string };
    return {
      ...base,
      exposure: { type: "EastWestGateway" },
      sidecar: { file: join(artifactPath(sidecar), "istio-sidecar.deb"), sha256 },
      hosts: [
        host(GATEWAY, vmByName(lab, GATEWAY).address, { gateway: true, inboundPorts: [] }),
        ...HOSTS.map((name) => host(name, siteAddress(lab, name), { inboundPorts: [8080], dns: true })),
      ],
      services: HOSTS.map((name) => ({ name: `on-${name}`, namespace: "vm", hosts: [name], ports: [{ port: 8080 }] })),
    };
  }

  before(async () => {
    await Promise.all([GATEWAY, ...HOSTS].map((name) => resetVm(lab, name)));
    await openSite();
    for (const name of HOSTS) await moveThere(lab, name);
    await reachThere(lab, GATEWAY);
    for (const name of [GATEWAY, ...HOSTS]) {
      await vmExec(lab, name, ["runuser", "--user=admin", "sudo", "true"]); // it leaves a file, the first time
      earlier.set(name, await snapshotVm(lab, name));
    }
    await cloud.begin();
    cloud.give("istio-vm", "istio-vm-gateway", "ip");
    await stack.init(config());
    await stack.succeed(["up", "--yes", "--skip-preview"]);
    await echoInPod(lab, "pod", "default");
  });
  after(async () => {
    await kubectl("delete", "deployment,service,serviceaccount", "pod", "--namespace=default", "--ignore-not-found");
    await stack.succeed(["destroy", "--yes", "--skip-preview"]);
    stack.remove();
    await cloud.end();
    await Promise.all([GATEWAY, ...HOSTS].map((name) => resetVm(lab, name)));
    await closeSite();
  });

  /** Whether a TCP connection can be had. */
  const reaches = (argv: (script: string) => Promise<string>, address: string, port: number) =>
    argv(`timeout 3 bash -c 'exec 3<>/dev/tcp/${address}/${port}' 2>/dev/null && echo yes || echo no`);
  const onHost = (name: string) => (script: string) => vmExec(lab, name, ["sh", "-c", script]);
  const inPod = (script: string) =>
    kubectl("exec", "deploy/sleep", "--container=istio-proxy", "--", "bash", "-c", script);

  it("there is no route: neither from pods to hosts, nor from hosts to pods, nodes and services", async () => {
    const podAddress = (
      await kubectl("get", "pods", "--selector=app=pod", "--output=jsonpath={.items[0].status.podIP}")
    ).trim();
    for (const name of HOSTS) {
      assert.equal((await reaches(inPod, siteAddress(lab, name), 8080)).trim(), "no");
      for (const [address, port] of [
        [podAddress, PORTS.http],
        [vmByName(lab, GATEWAY).address, 22],
        ["172.30.0.10", 6443],
      ] as const) {
        assert.equal((await reaches(onHost(name), address, port)).trim(), "no", `${name} reaches ${address}:${port}`);
      }
    }
    assert.equal((await reaches(inPod, vmByName(lab, GATEWAY).address, 15443)).trim(), "yes");
  });

  for (const name of HOSTS) {
    it(`a pod is answered by ${name}, by mutual TLS from end to end`, async () => {
      const answer = await untilPodSees(
        `${name}'s page`,
        ({ page }) => page.startsWith(`This is ${name}.`),
        urlOf(name),
      );
      assert.deepEqual([answer.server, answer.client], [idOf(name), "spiffe://cluster.local/ns/default/sa/sleep"]);
    });
  }

  const askFromHost = async (name: string, url: string) => {
    let page = "";
    await until(
      `an answer to ${name} from ${url}`,
      30,
      async () => {
        page = await vmExec(lab, name, ["sh", "-c", `curl --silent --show-error --fail --max-time 5 ${url} 2>&1 || :`]);
        return !/^curl:/m.test(page);
      },
      () => page,
    );
    return page;
  };

  it("a host is answered by a pod, who sees which host it is", async () => {
    const page = await askFromHost("vm2", `http://pod.default:${PORTS.http}`);
    assert.match(page, /^Hostname=pod$/m);
    assert.match(page, new RegExp(`X-Forwarded-Client-Cert=.*URI=${idOf("vm2")}`, "i"));
  });

  it("a host asks another of its network directly", async () => {
    const { page, client } = readPage(await askFromHost("vm2", urlOf("vm3")));
    assert.match(page, /^This is vm3\./);
    assert.equal(client, idOf("vm2"));
    // Not by way of the gateway.
    assert.match(page, new RegExp(`from 127\\.0\\.0\\.6`));
    const peers = await vmExec(lab, "vm3", ["ss", "-Htn", "state", "established", "sport = :15006"]);
    assert.ok(peers.includes(siteAddress(lab, "vm2")), peers);
  });

  describe("destroy", () => {
    before(() => stack.succeed(["destroy", "--yes", "--skip-preview"]).then());

    for (const name of [GATEWAY, ...HOSTS]) {
      it(`gives back ${name} as it was`, () => becomesSame(earlier.get(name)!, () => snapshotVm(lab, name), name));
    }
  });
});
