import assert from "node:assert/strict";
import { labByName, vmByName } from "../../lab/paths";
import { until } from "../../lab/run";
import { vmExec } from "../../lab/vm";
import { installDebs, unpackDebs } from "../support/debs";
import { execa } from "execa";
import { ask, type Echo, echoInPod, echoOnVm, type Place, PORTS, servicePorts, stream } from "../support/echo";
import { labConfig, TestStack } from "../support/testStack";
import { apply, askPlainly, kubectl, untilPlainly, withStrictTls } from "./mesh";

const HOST_PORTS = [PORTS.http, PORTS.http2, PORTS.grpc, PORTS.tcp, PORTS.serverFirst, PORTS.tls];

/** What is spoken, how it is asked for, and whether the answer says who asked. */
const PROTOCOLS: Record<string, { url: (host: string) => string; flags?: string[]; tells: boolean; is: RegExp }> = {
  "HTTP/1.1": { url: (host) => `http://${host}:${PORTS.http}`, tells: true, is: /^HTTP\/1\.1$/ },
  "HTTP/2": { url: (host) => `http://${host}:${PORTS.http2}`, flags: ["--http2"], tells: true, is: /^HTTP\/2\.0$/ },
  WebSocket: { url: (host) => `ws://${host}:${PORTS.http}`, tells: true, is: /./ },
  gRPC: { url: (host) => `grpc://${host}:${PORTS.grpc}`, tells: true, is: /./ },
  TCP: { url: (host) => `tcp://${host}:${PORTS.tcp}`, tells: false, is: /^TCP$/ },
  "TCP, server first": {
    url: (host) => `tcp://${host}:${PORTS.serverFirst}`,
    flags: ["--server-first"],
    tells: false,
    is: /^TCP$/,
  },
  "TLS of its own": {
    url: (host) => `https://${host}:${PORTS.tls}`,
    flags: ["--insecure-skip-verify"],
    tells: false,
    is: /^HTTP/,
  },
};

/** Where pods find a client of MariaDB. */
const MARIADB = "/opt/mariadb";

describe("every direction, every protocol", () => {
  const lab = labByName();
  const stack = new TestStack();
  const places: Record<string, Place> = {};
  before(async () => {
    const config = labConfig();
    const host = (name: string) => ({
      name,
      address: vmByName(lab, name).address,
      namespace: "vm",
      inboundPorts: HOST_PORTS,
      dns: true,
    });
    const service = (name: string) => ({
      name: `echo-${name}`,
      namespace: "vm",
      hosts: [name],
      ports: servicePorts().map(({ port, targetPort, protocol }) => ({ port, targetPort, protocol })),
    });
    const db = { ...host("vm3"), inboundPorts: [3306], labels: { app: "db" } };
    const mysql = { name: "mysql", namespace: "vm", hosts: ["vm3"], ports: [{ port: 3306, protocol: "TCP" }] };
    await stack.init({
      ...config,
      hosts: [...["vm1", "vm2"].map(host), db],
      services: [...["vm1", "vm2"].map(service), mysql],
    });
    await stack.succeed(["up", "--yes", "--skip-preview"]);
    for (const name of ["vm1", "vm2"]) places[name] = await echoOnVm(lab, name);
    await unpackDebs(lab, "mariadb-client", MARIADB);
    for (const name of ["pod", "stranger"]) places[name] = await echoInPod(lab, name, "default", [MARIADB]);
  });
  after(async () => {
    for (const name of ["pod", "stranger"]) {
      await kubectl("delete", "deployment,service,serviceaccount", name, "--namespace=default", "--ignore-not-found");
    }
    await stack.succeed(["destroy", "--yes", "--skip-preview"]);
    stack.remove();
  });

  const DIRECTIONS = [
    ["pod", "vm1", "echo-vm1.vm", "spiffe://cluster.local/ns/default/sa/pod"],
    ["vm1", "pod", "pod.default", "spiffe://cluster.local/ns/vm/sa/vm1"],
    ["vm1", "vm2", "echo-vm2.vm", "spiffe://cluster.local/ns/vm/sa/vm1"],
  ] as const;
  for (const [from, to, host, identity] of DIRECTIONS) {
    for (const [protocol, { url, flags = [], tells, is }] of Object.entries(PROTOCOLS)) {
      it(`${from} to ${to}: ${protocol}`, async () => {
        let last: Echo | undefined;
        const answer = await until(
          "an answer",
          15,
          async () => {
            last = await ask(places[from]!, url(host), ...flags);
            return last.hostname === undefined ? undefined : last;
          },
          () => last?.said ?? "",
        );
        assert.equal(answer.hostname, to, answer.said);
        if (tells) assert.equal(answer.client, identity, answer.said);
        assert.match(answer.protocol ?? "?", is, answer.said);
      });
    }
  }

  for (const [from, to, host] of DIRECTIONS) {
    it(`${from} to ${to}: gRPC, streaming`, async () => {
      assert.match(await stream(places[from]!, host, 10), /^answer 10: \d+ services$/m);
    });
  }

  const only = (namespace: string, app: string, principal: string) => ({
    apiVersion: "security.istio.io/v1",
    kind: "AuthorizationPolicy",
    metadata: { name: "only", namespace },
    spec: {
      selector: { matchLabels: { app } },
      action: "ALLOW",
      rules: [{ from: [{ source: { principals: [principal] } }] }],
    },
  });
  for (const [namespace, app, principal, host, allowed, refused] of [
    ["vm", "vm1", "cluster.local/ns/default/sa/pod", "echo-vm1.vm", "pod", "vm2"],
    ["default", "pod", "cluster.local/ns/vm/sa/vm1", "pod.default", "vm1", "vm2"],
    ["vm", "vm2", "cluster.local/ns/vm/sa/vm1", "echo-vm2.vm", "vm1", "pod"],
  ] as const) {
    it(`a policy that lets ${allowed} alone to ${app} refuses ${refused}: HTTP, and TCP where the server speaks first`, async () => {
      await apply(only(namespace, app, principal));
      try {
        const http = PROTOCOLS["HTTP/1.1"]!.url(host);
        await until(`${refused} to be refused`, 20, async () => (await ask(places[refused]!, http)).status === "403");
        const { url, flags = [] } = PROTOCOLS["TCP, server first"]!;
        const tcp = await ask(places[refused]!, url(host), ...flags);
        assert.equal(tcp.hostname, undefined, tcp.said);
        assert.equal((await ask(places[allowed]!, http)).hostname, app);
        assert.equal((await ask(places[allowed]!, url(host), ...flags)).hostname, app);
      } finally {
        await kubectl("delete", "authorizationpolicy", "only", `--namespace=${namespace}`);
      }
    });
  }

  it("UDP goes its way, also to a port that is among the inbound ones", async () => {
    const { address } = vmByName(lab, "vm1");
    for (const from of ["pod", "vm2"]) {
      const answer = await ask(places[from]!, `udp://${address}:${PORTS.udp}`);
      assert.equal(answer.hostname, "vm1", answer.said);
    }
  });

  it("what comes to other ports goes its way", async () => {
    await withStrictTls(async () => {
      const { address } = vmByName(lab, "vm1");
      await untilPlainly("refused", address, PORTS.http);
      assert.equal(await askPlainly(address, 8080), "answered");
    });
  });

  it("a client without a sidecar is answered where the server speaks first, after the time for detection", async () => {
    const { address } = vmByName(lab, "vm1");
    const greeting = `exec 3<>/dev/tcp/${address}/${PORTS.serverFirst} && timeout 5 head -c 12 <&3`;
    await until("a greeting", 20, async () => {
      const { stdout } = await execa("bash", ["-c", greeting], { reject: false });
      return stdout === "server-first";
    });
    const { url, flags = [] } = PROTOCOLS["TCP, server first"]!;
    const answer = await ask(places.vm2!, url(address), ...flags);
    assert.equal(answer.hostname, "vm1", answer.said);
  });

  describe("a database on a VM", () => {
    const sql = (from: Place, query: string) =>
      from.run([
        ...["env", `LD_LIBRARY_PATH=${MARIADB}/usr/lib/x86_64-linux-gnu`, `${MARIADB}/usr/bin/mariadb`],
        ...["--no-defaults", "--connect-timeout=5", "--host=mysql.vm", "--user=app", "--password=app", "--batch"],
        ...["--skip-column-names", `--execute=${query}`],
      ]);

    before(async () => {
      await installDebs(lab, "vm3", "mariadb-server");
      await vmExec(lab, "vm3", [
        "sh",
        "-euc",
        `printf '[mariadb]\\nbind-address=0.0.0.0\\nskip-name-resolve\\n' >/etc/mysql/mariadb.conf.d/99-test.cnf
        systemctl restart mariadb
        mariadb -e "create user app@'%' identified by 'app'; create database app; grant all on app.* to app@'%'"`,
      ]);
    });

    it("is asked by a pod, by the service's name and port 3306", async () => {
      await until(
        "the database to answer",
        20,
        async () => (await sql(places.pod!, "select 1").catch((e: Error) => (console.log(e.message), ""))) === "1\n",
      );
      assert.equal(
        await sql(
          places.pod!,
          "create table t (n int); insert into t values (7); select n, @@hostname from app.t".replaceAll(
            " t ",
            " app.t ",
          ),
        ),
        "7\tvm3\n",
      );
    });

    it("is refused to who is not the one that a policy lets in", async () => {
      await apply(only("vm", "db", "cluster.local/ns/default/sa/pod"));
      try {
        const other = await until("another pod to be refused", 20, async () => {
          const said = await sql(places.stranger!, "select 1").catch((error: Error) => error.message);
          return /Lost connection|reading initial communication packet/.test(said) ? said : undefined;
        });
        console.log(other);
        assert.equal(await sql(places.pod!, "select n from app.t"), "7\n");
      } finally {
        await kubectl("delete", "authorizationpolicy", "only", "--namespace=vm");
      }
    });
  });
});
