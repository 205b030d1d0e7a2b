/** Three hosts, two of which run echo; two pods that run it too: who asks whom, and how, in tests of every direction. */
import assert from "node:assert/strict";
import { labByName, vmByName } from "../../../lab/paths";
import { until } from "../../../lab/run";
import { resetVm } from "../../../lab/vm";
import { unpackDebs } from "../../support/debs";
import { ask, type Echo, echoInPod, echoOnVm, type Place, PORTS, servicePorts } from "../../support/echo";
import { labConfig, TestStack } from "../../support/testStack";
import { kubectl } from "../mesh";

/** Where pods find a client of MariaDB. */
export const MARIADB = "/opt/mariadb";

/** What is spoken, how it is asked for, what the answer says of it, and whether it says who asked. */
export interface Spoken {
  url: (host: string) => string;
  flags: string[];
  is: RegExp;
  tellsWho: boolean;
}
const of = (scheme: string, port: number, is: RegExp, tellsWho: boolean, ...flags: string[]): Spoken => ({
  url: (host) => `${scheme}://${host}:${port}`,
  flags,
  is,
  tellsWho,
});
export const SPOKEN = {
  "HTTP/1.1": of("http", PORTS.http, /^HTTP\/1\.1$/, true),
  "HTTP/2": of("http", PORTS.http2, /^HTTP\/2\.0$/, true, "--http2"),
  WebSocket: of("ws", PORTS.http, /./, true),
  gRPC: of("grpc", PORTS.grpc, /./, true),
  TCP: of("tcp", PORTS.tcp, /^TCP$/, false),
  "TCP, server first": of("tcp", PORTS.serverFirst, /^TCP$/, false, "--server-first"),
  "TLS of its own": of("https", PORTS.tls, /^HTTP/, false, "--insecure-skip-verify"),
};

export const idOf = (namespace: string, account: string) => `spiffe://cluster.local/ns/${namespace}/sa/${account}`;

/** From where to where, and as whom. */
export const DIRECTIONS = [
  { from: "pod", to: "vm1", host: "echo-vm1.vm", as: idOf("default", "pod") },
  { from: "vm1", to: "pod", host: "pod.default", as: idOf("vm", "vm1") },
  { from: "vm1", to: "vm2", host: "echo-vm2.vm", as: idOf("vm", "vm1") },
] as const;

const HOSTS = ["vm1", "vm2", "vm3"];
const PODS = ["pod", "stranger"];
const ECHO_PORTS = [PORTS.http, PORTS.http2, PORTS.grpc, PORTS.tcp, PORTS.serverFirst, PORTS.tls];

export class Places {
  readonly lab = labByName();
  readonly stack = new TestStack();
  private readonly all = new Map<string, Place>();

  /** The stack's configuration. */
  private config() {
    const host = (name: string, inboundPorts: number[] | "*") => ({
      ...{ name, address: vmByName(this.lab, name).address, namespace: "vm", dns: true },
      inboundPorts,
    });
    const echo = (name: string, portName?: (port: number) => string) => ({
      ...{ name: `echo-${name}`, namespace: "vm", hosts: [name] },
      ports: servicePorts().map(({ port, protocol }) => ({ port, protocol, name: portName?.(port) })),
    });
    return {
      ...labConfig(),
      hosts: [host("vm1", ECHO_PORTS), host("vm2", "*"), host("vm3", [3306])],
      services: [
        echo("vm1"),
        // Names from which no protocol can be read.
        echo("vm2", (port) => `of-vm2-${port}`),
        { name: "mysql", namespace: "vm", hosts: ["vm3"], ports: [{ port: 3306, protocol: "TCP" }] },
      ],
    };
  }

  async begin(): Promise<void> {
    await this.stack.init(this.config());
    await this.stack.succeed(["up", "--yes", "--skip-preview"]);
    for (const name of ["vm1", "vm2"]) this.all.set(name, await echoOnVm(this.lab, name));
    await unpackDebs(this.lab, "mariadb-client", MARIADB);
    for (const name of PODS) this.all.set(name, await echoInPod(this.lab, name, "default", { mounts: [MARIADB] }));
  }

  async end(): Promise<void> {
    for (const name of PODS) {
      await kubectl("delete", "deployment,service,serviceaccount", name, "--namespace=default", "--ignore-not-found");
    }
    await this.stack.succeed(["destroy", "--yes", "--skip-preview"]);
    this.stack.remove();
    await Promise.all(HOSTS.map((name) => resetVm(this.lab, name))); // of echo, and of the database
  }

  place(name: string): Place {
    const place = this.all.get(name);
    assert.ok(place, `no place ${name}`);
    return place;
  }

  addressOf = (name: string) => vmByName(this.lab, name).address;

  /** Asks once. */
  ask = (from: string, spoken: Spoken, host: string) => ask(this.place(from), spoken.url(host), ...spoken.flags);

  /** Asks until `to` answers: sidecars learn of a change some moments after the cluster. */
  async untilAnswered(from: string, to: string, spoken: Spoken, host: string): Promise<Echo> {
    let last: Echo | undefined;
    return until(
      `${to} to answer ${from}`,
      20,
      async () => ((last = await this.ask(from, spoken, host)).hostname === to ? last : undefined),
      () => last?.said ?? "",
    );
  }
}
