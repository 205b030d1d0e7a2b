/** A cloud, as far as a Service of type LoadBalancer sees it: what gives it an address, and leads from there to its pods. */
import { createServer, connect, type Server, type Socket } from "node:net";
import { once } from "node:events";
import { bridge, node } from "../../../lab/paths";
import { run } from "../../../lab/run";
import { apply, kubectl } from "../mesh";

/** istiod's, by which hosts reach it. */
const ISTIOD = 15012;
/** Where its DNS is: a name of the cluster's, for that is the DNS that the machines of the lab ask. */
const NAMESPACE = "cloud";

export class Cloud {
  /** A name that is known by its DNS alone. */
  readonly name = `lb.${NAMESPACE}.svc.cluster.local`;
  private readonly servers: [port: number, server: Server][];
  private readonly open = new Set<Socket>();
  private service = "";
  private watch?: NodeJS.Timeout;

  /**
   * @param address at which it listens
   * @param link of the lab that has, or gets, that address
   */
  constructor(
    readonly address = "172.30.0.99",
    private readonly link = bridge.name,
    ports = [ISTIOD],
  ) {
    this.servers = ports.map((port) => [
      port,
      createServer((client) => void this.lead(client, port).catch(() => client.destroy())),
    ]);
  }

  private readonly inLab = (verb: string) => run(["ip", "address", verb, `${this.address}/32`, "dev", this.link]);

  async begin(): Promise<void> {
    await this.inLab("add");
    for (const [port, server] of this.servers) {
      server.listen(port, this.address);
      await once(server, "listening");
    }
    const metadata = { name: "lb", namespace: NAMESPACE };
    await apply(
      { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } },
      { apiVersion: "v1", kind: "Service", metadata, spec: { clusterIP: "None", ports: [{ port: ISTIOD }] } },
      {
        apiVersion: "discovery.k8s.io/v1",
        kind: "EndpointSlice",
        metadata: { ...metadata, labels: { "kubernetes.io/service-name": "lb" } },
        addressType: "IPv4",
        endpoints: [{ addresses: [this.address] }],
        ports: [{ port: ISTIOD }],
      },
    );
  }

  async end(): Promise<void> {
    clearInterval(this.watch);
    for (const socket of this.open) socket.destroy();
    for (const [, server] of this.servers) {
      if (server.listening) await new Promise((done) => server.close(done));
    }
    await this.inLab("del").catch(() => undefined);
    await kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found");
  }

  /** Gives a Service its address, or the name alone, and leads there from now on: as soon as there is such a Service. */
  give(namespace: string, service: string, by: "ip" | "hostname"): void {
    clearInterval(this.watch);
    this.service = `${namespace}/${service}`;
    const ingress = [by === "ip" ? { ip: this.address } : { hostname: this.name }];
    const patch = JSON.stringify({ status: { loadBalancer: { ingress } } });
    const attempt = async () => {
      const { spec, status } = await this.read();
      if (spec.type !== "LoadBalancer") return;
      if (status.loadBalancer.ingress === undefined) {
        const subresource = ["--subresource=status", "--type=merge", `--patch=${patch}`];
        await kubectl("patch", "service", service, `--namespace=${namespace}`, ...subresource);
      }
      clearInterval(watch);
    };
    // There may be no such Service yet.
    const watch = (this.watch = setInterval(() => void attempt().catch(() => undefined), 500));
  }

  /** Leads a connection to the Service. */
  private async lead(client: Socket, wanted: number): Promise<void> {
    const { spec } = await this.read();
    const nodePort = spec.ports.find(({ port }) => port === wanted)?.nodePort;
    if (nodePort === undefined) throw new Error(`${this.service} has no node port for ${wanted}`);
    const server = connect(nodePort, node.address);
    for (const socket of [client, server]) {
      this.open.add(socket);
      socket.on("error", () => socket.destroy());
      socket.on("close", () => {
        this.open.delete(socket);
        for (const one of [client, server]) one.destroy();
      });
    }
    client.pipe(server).pipe(client);
  }

  private async read(): Promise<CloudService> {
    const [namespace, name] = this.service.split("/");
    return JSON.parse(
      await kubectl("get", "service", name!, `--namespace=${namespace}`, "--output=json"),
    ) as CloudService;
  }
}

interface CloudService {
  spec: { type: string; ports: { port: number; nodePort?: number }[] };
  status: { loadBalancer: { ingress?: object[] } };
}
