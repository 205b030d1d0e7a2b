/** Two hosts and a pod that run echo: who asks whom, and how, in tests of every direction. */
import assert from "node:assert/strict";
import { labByName, vmByName } from "../../../lab/paths";
import { until } from "../../../lab/run";
import { resetVm } from "../../../lab/vm";
import { ask, type Echo, echoInPod, endEcho, echoOnVm, type Place, PORTS, servicePorts } from "../../support/echo";
import { type StackConfig, TestStack } from "../../support/testStack";
import { idOf } from "../mesh";
import type { Way } from "./ways";

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

/** From where to where, and as whom. */
export const directionsOf = ([first, second]: Way["hosts"]) => [
  { from: POD, to: first, host: `echo-${first}.vm`, as: idOf("default", POD) },
  { from: first, to: POD, host: `${POD}.default`, as: idOf("vm", first) },
  { from: first, to: second, host: `echo-${second}.vm`, as: idOf("vm", first) },
];

const POD = "pod";
const VMS = ["vm1", "vm2", "vm3"];
const ECHO_PORTS = [PORTS.http, PORTS.http2, PORTS.grpc, PORTS.tcp, PORTS.serverFirst, PORTS.tls];

export class Places {
  readonly lab = labByName();
  readonly stack = new TestStack();
  private readonly all = new Map<string, Place>();

  constructor(readonly way: Way) {}

  /** The stack's configuration. */
  private config(): StackConfig {
    const [first, second] = this.way.hosts;
    const host = (name: string, inboundPorts: number[] | "*") => ({
      ...this.way.host(this.lab, name),
      ...{ dns: true, inboundPorts },
    });
    const echo = (name: string, portName?: (port: number) => string) => ({
      ...{ name: `echo-${name}`, namespace: "vm", hosts: [name] },
      ports: servicePorts().map(({ port, protocol }) => ({ port, protocol, name: portName?.(port) })),
    });
    return {
      ...this.way.config(),
      hosts: [...(this.way.beside?.() ?? []), host(first, ECHO_PORTS), host(second, "*")],
      // Names from which no protocol can be read.
      services: [echo(first), echo(second, (port) => `of-${second}-${port}`)],
    };
  }

  async begin(): Promise<void> {
    await this.way.prepare?.(this.lab);
    await this.stack.init({ ...this.config(), ...this.way.earlier });
    if (this.way.earlier) {
      await this.stack.succeed(["up", "--yes", "--skip-preview"]);
      this.stack.configure(this.config());
    }
    await this.stack.succeed(["up", "--yes", "--skip-preview"]);
    for (const name of this.way.hosts) this.all.set(name, await echoOnVm(this.lab, name));
    this.all.set(POD, await echoInPod(this.lab, POD, "default"));
  }

  async end(): Promise<void> {
    await endEcho(POD);
    await this.stack.succeed(["destroy", "--yes", "--skip-preview"]);
    this.stack.remove();
    await this.way.end?.(this.lab);
    await Promise.all(VMS.map((name) => resetVm(this.lab, name))); // of echo, and from elsewhere
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
