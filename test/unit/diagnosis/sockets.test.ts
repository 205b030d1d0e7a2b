import assert from "node:assert/strict";
import { conversationsIn, listenersIn, parseSocket } from "../../../diagnosis/sockets";
import { socketsOf } from "./realSockets";

const listen = (local: string) => parseSocket(`LISTEN 0 128 ${local} *:*`)!;

describe("a line of ss", () => {
  for (const [written, address, port] of [
    ["0.0.0.0:22", "*", 22],
    ["[::]:22", "*", 22],
    ["*:9090", "*", 9090],
    ["127.0.0.53%lo:53", "127.0.0.53", 53],
    ["[::1]:9192", "::1", 9192],
    ["[::ffff:172.30.0.22]:9090", "172.30.0.22", 9090],
    ["[fe80::c4d2:29ff:fead:bcf6]%host0:9090", "fe80::c4d2:29ff:fead:bcf6", 9090],
    ["[FD00:0::1]:80", "fd00::1", 80],
  ] as const) {
    it(`at ${written}`, () => assert.deepEqual(listen(written).local, { address, port }));
  }

  it("names the first of the programs that share the socket, and nothing that a terminal would obey", () => {
    const of = (users: string) => parseSocket(`LISTEN 0 5 0.0.0.0:80 0.0.0.0:* ${users}`)!.program;
    assert.equal(of('users:(("nginx",pid=9,fd=6),("nginx",pid=8,fd=6))'), "nginx");
    assert.equal(of('users:(("(sd-pam) a b",pid=9,fd=6))'), "(sd-pam) a b");
    assert.equal(of('users:(("\x1b[2Jx",pid=9,fd=6))'), "?[2Jx");
    assert.equal(of(""), undefined, "a socket of the kernel");
  });

  it("is left out where it is no socket that listens or is connected", () => {
    for (const line of ["", "ss: something", "FIN-WAIT-2 0 0 172.30.0.21:15006 172.30.0.22:37430", "LISTEN 0"]) {
      assert.equal(parseSocket(line), undefined, line);
    }
  });
});

describe("the sockets of a host", () => {
  it("say what listens, and where only the host itself reaches it", () =>
    assert.deepEqual(listenersIn(socketsOf("new")), [
      { port: 22, program: "sshd", loopbackOnly: false },
      { port: 8080, program: "app", loopbackOnly: false },
      { port: 9090, program: "python3", loopbackOnly: false },
      { port: 9191, program: "python3", loopbackOnly: true },
      { port: 9192, program: "python3", loopbackOnly: true },
    ]));

  it("say so of a port once, whatever its addresses are", () =>
    assert.deepEqual(listenersIn(["127.0.0.1:53", "[::1]:53", "192.0.2.1:53"].map(listen)), [
      { port: 53, program: undefined, loopbackOnly: false },
    ]));

  it("tell clients from servers by the ports at which something listens, and count them", () => {
    const { inbound, outbound } = conversationsIn(socketsOf("new"));
    assert.deepEqual(inbound, [
      { address: "172.30.0.1", port: 8080, program: "app", count: 2 },
      { address: "172.30.0.1", port: 9090, program: "python3", count: 1 },
      { address: "fe80::9cc9:9dff:feac:4a33", port: 9090, program: "python3", count: 1 },
      { address: "127.0.0.1", port: 9191, program: "python3", count: 1 },
      { address: "::1", port: 9192, program: "python3", count: 1 },
    ]);
    // Two more are closed by the server already.
    assert.deepEqual(outbound, [
      { address: "172.30.0.10", port: 6443, program: "python3", count: 2 },
      { address: "127.0.0.1", port: 9191, program: "python3", count: 1 },
      { address: "::1", port: 9192, program: "python3", count: 1 },
    ]);
  });
});
