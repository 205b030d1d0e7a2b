import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { execa, type ExecaChildProcess } from "execa";
import { vmByName } from "../../lab/paths";
import { until } from "../../lab/run";
import type { Site } from "./site";

const STRICT = {
  apiVersion: "security.istio.io/v1",
  kind: "PeerAuthentication",
  metadata: { name: "impact", namespace: "vm" },
  spec: { mtls: { mode: "STRICT" } },
};

/** A server that takes clients and says nothing; and one that only the host itself reaches. */
const LISTEN = `import socket,time
keep=[]
for address,port in (("::",9090),("127.0.0.1",9191)):
    server=socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET); server.bind((address,port)); server.listen()
    keep.append(server)
while True: keep.append(keep[0].accept())`;

/** vm2 is yet to join, and is used already: by a client outside the mesh, and by a pod with a sidecar. */
export function impacting(site: Site): void {
  describe("impact", () => {
    const { address } = vmByName(site.lab, "vm2");
    let outside: Socket;
    let pod: ExecaChildProcess;
    let podAddress: string;

    before(async () => {
      const [vm1, vm2] = site.config.hosts as object[];
      const [service] = site.config.services as object[];
      site.configure({
        ...site.config,
        hosts: [vm1, { ...vm2, inboundPorts: [8080, 9090, 9191, 9292] }],
        services: [{ ...service, hosts: ["vm1", "vm2"] }],
      });
      await site.sh("vm2", `systemd-run --quiet --unit=listen python3 -c '${LISTEN}'`);
      await until("the listener", 10, async () => /:9090 /.test(await site.sh("vm2", "ss -Htln")));
      outside = connect(8080, address);
      await once(outside, "connect");
      const exec = ["exec", "--stdin", "deploy/sleep", "--container=sleep", "--"];
      pod = execa("kubectl", [...exec, "curl", "--silent", `telnet://${address}:9090`], { reject: false });
      pod.stdin!.write("hello\n"); // its sidecar opens the connection when there is something to say
      podAddress = await site.kubectl(
        "get",
        "pods",
        "--selector=app=sleep",
        "--output=jsonpath={.items[0].status.podIP}",
      );
      await until("both clients", 10, async () => {
        const connected = await site.sh("vm2", "ss -Htnp state established");
        return connected.includes('"app"') && connected.includes(`[::ffff:${podAddress}]`);
      });
    });
    after(async () => {
      outside.destroy();
      pod.kill();
      await site.sh("vm2", "systemctl stop listen");
      await site.kubectl("delete", "peerauthentication", "--namespace=vm", "impact", "--ignore-not-found");
      site.configure(site.config);
    });

    const row = (...cells: string[]) => new RegExp(`^${cells.join(" +")}$`, "m");
    const POD = String.raw`pod default/sleep-\S+, in the mesh`;

    it("tells who uses a host that is yet to join, and that with no policy they go on as they do", async () => {
      const { exitCode, stdout } = await site.cli(["impact", "vm2"]);
      assert.equal(exitCode, 0, stdout);
      assert.match(
        stdout,
        /^vm2 is not joined\. Its sidecar would take what comes in to port 8080, 9090, 9191, 9292, /,
      );
      for (const expected of [
        row("✓ 8080", "app", "172.30.0.1", "outside the mesh", "1", "as now, in plain text: PERMISSIVE by default"),
        row("✓ 9090", "python3", podAddress, POD, "1", "mutual TLS by the service's name, plain text .*"),
        row("! 9191", "python3", "-", "-", "-", "it listens at loopback alone: .*"),
        row("! 9292", "-", "-", "-", "-", "nothing listens here: .*"),
      ]) {
        assert.match(stdout, expected);
      }
    });

    it("tells whom a policy would refuse, and so does doctor", async () => {
      await site.apply(STRICT);
      const { exitCode, stdout } = await site.cli(["impact", "vm2"]);
      assert.equal(exitCode, 0, stdout);
      assert.match(stdout, row("! 8080", "app", "172.30.0.1", "outside the mesh", "1", "refused: vm/impact is STRICT"));
      assert.match(
        stdout,
        row(
          "! 9090",
          "python3",
          podAddress,
          POD,
          "1",
          "mutual TLS by the service's name, refused by the address: vm/impact is STRICT",
        ),
      );
      const found = (await site.findings()).map(({ code, message }) => `${code} ${message}`);
      assert.deepEqual(found, [
        "IVM609 vm2: nothing listens on 9292",
        "IVM745 vm2: port 8080 is used by 1 client outside the mesh now, which would be refused: vm/impact is STRICT",
        "IVM747 vm2: python3 listens at inbound port 9191 of loopback alone",
      ]);
    });

    it("changes nothing on the host", async () => {
      assert.equal(await site.sh("vm2", "ls -d /var/lib/istio-vm /run/istio-vm 2>/dev/null || :"), "");
      assert.equal(await site.sh("vm2", "iptables-save | grep -c ISTIO || :"), "0\n");
    });

    it("of a host that is joined is what its sockets say now", async () => {
      const client = connect(8080, vmByName(site.lab, "vm1").address);
      try {
        await once(client, "connect");
        const { exitCode, stdout } = await site.cli(["impact", "vm1"]);
        assert.equal(exitCode, 0, stdout);
        assert.match(
          stdout,
          /^vm1 is joined: its sidecar takes what comes in to port 8080, and what goes out to 10\.96\./,
        );
        assert.match(
          stdout,
          row("✓ 15006", "envoy", "172.30.0.1", "outside the mesh", "1", "through the sidecar already"),
        );
      } finally {
        client.destroy();
      }
    });
  });
}
