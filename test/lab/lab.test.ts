import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { leaderOf } from "../../lab/cgroups";
import { assertInsideLab } from "../../lab/exec";
import { kubectl } from "../../lab/node";
import { checkout, labByName, vmByName } from "../../lab/paths";
import { run, until } from "../../lab/run";
import { vmExec } from "../../lab/vm";
import { snapshot } from "./snapshot";

const lab = labByName("selftest");
const cli = [process.execPath, "--import", "tsx", join(checkout, "lab", "main.ts")];
const main = (...args: string[]) => run([...cli, ...args], { cwd: checkout, env: { LAB_NAME: lab.name } });
const inLab = (...argv: string[]) => main("exec", "--", ...argv);
const curl = (url: string) => ["curl", "--silent", "--show-error", "--fail", "--max-time", "5", url];

const health = `
apiVersion: v1
kind: Service
metadata: { name: health, namespace: kube-system }
spec:
  type: NodePort
  selector: { k8s-app: kube-dns }
  ports: [{ name: http, port: 80, targetPort: 8080, nodePort: 30080 }]
`;

describe("the lab", () => {
  let untouched: Record<string, string[]>;
  const vm = vmByName(lab, "vm1");

  before(async () => {
    await main("clean");
    untouched = await snapshot();
    await main("up", "--vms", "1");
  });

  after(() => main("clean"));

  it("refuses to be contacted from outside", () => {
    assert.throws(assertInsideLab, /must run inside the lab's network/);
  });

  it("serves the VM's application", async () => {
    const page = await inLab(...curl(`http://${vm.address}:8080/hello`));
    assert.match(page, /^This is vm1\.\nGET \/hello from 172\.30\.0\.1\n/);
    assert.match(page, /^User-Agent: curl/m);
  });

  it("lets a VM reach pods: by node port, pod address and service name", async () => {
    await run([...cli, "exec", "--", "kubectl", "apply", "-f", "-"], { env: { LAB_NAME: lab.name }, input: health });
    const pod = await kubectl(lab, "get", "pods", "-n", "kube-system", "-o", "jsonpath={.items[0].status.podIP}");
    const ask = (host: string) => () => vmExec(lab, vm.name, curl(`http://${host}/health`)).catch(() => "");
    assert.equal(await until("the node port", 20, ask("172.30.0.10:30080")), "OK");
    assert.equal(await until("the service name", 20, ask("health.kube-system.svc.cluster.local")), "OK");
    assert.equal(await ask(`${pod}:8080`)(), "OK");
  });

  it("lets a pod reach a VM, which sees the pod's own address", async () => {
    await kubectl(lab, "run", "tools", "--image=lab.local/tools:1");
    await kubectl(lab, "wait", "pod/tools", "--for=condition=Ready", "--timeout=9s");
    const page = await kubectl(lab, "exec", "tools", "--", ...curl(`http://${vm.address}:8080/`));
    const address = await kubectl(lab, "get", "pod", "tools", "-o", "jsonpath={.status.podIP}");
    assert.ok(page.includes(`from ${address}\n`), page);
  });

  it("has no way out", async () => {
    const elsewhere = "198.51.100.1";
    await assert.rejects(inLab("ip", "route", "get", elsewhere), /unreachable/);
    await assert.rejects(inLab(...curl(`http://${elsewhere}/`)), /Couldn't connect/);
    await assert.rejects(vmExec(lab, vm.name, curl(`http://${elsewhere}/`)), /timed out/);
  });

  it("gives the command's exit status through `exec`", async () => {
    await assert.rejects(inLab("sh", "-c", "exit 7"), /status 7/);
  });

  it("comes back after the node was killed", async () => {
    process.kill(leaderOf(lab, "node")!, "SIGKILL");
    await main("up");
    const answer = () => vmExec(lab, vm.name, curl("http://172.30.0.10:30080/health")).catch(() => "");
    assert.equal(await until("the node port", 20, answer), "OK");
  });

  it("makes a reset VM forget its disk and keep its host key", async () => {
    const hostKey = () => vmExec(lab, vm.name, ["cat", "/etc/ssh/ssh_host_ed25519_key.pub"]);
    const key = await hostKey();
    await vmExec(lab, vm.name, ["touch", "/root/left"]);
    await main("vm", "reboot", vm.name);
    await vmExec(lab, vm.name, ["test", "-e", "/root/left"]);
    await main("vm", "reset", vm.name);
    await assert.rejects(vmExec(lab, vm.name, ["test", "-e", "/root/left"]));
    assert.equal(await hostKey(), key);
  });

  it("leaves nothing behind when it goes down", async () => {
    await main("down");
    assert.deepEqual(await snapshot(), untouched);
  });

  it("leaves nothing behind when `up` was killed half way", async () => {
    const up = spawn(cli[0]!, [...cli.slice(1), "up"], { cwd: checkout, env: { ...process.env, LAB_NAME: lab.name } });
    await until("the node's first process", 150, () => leaderOf(lab, "node"));
    up.kill("SIGKILL");
    await once(up, "exit");
    await main("down");
    assert.deepEqual(await snapshot(), untouched);
  });
});
