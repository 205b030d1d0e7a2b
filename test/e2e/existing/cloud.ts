/** A cloud, as far as a Service of type LoadBalancer sees it: what gives it an address, and leads from there to its pods. */
import { createServer, connect, type Server, type Socket } from "node:net";
import { once } from "node:events";
import { bridge, node } from "../../../lab/paths";
import { run } from "../../../lab/run";
import { apply, kubectl } from "../mesh";

/** The address at which it listens, in the lab's network. */
const ADDRESS = "172.30.0.99";
const PORT = 15012;
/** Where its DNS is: a name of the cluster's, for that is the DNS that the machines of the lab ask. */
const NAMESPACE = "cloud";

const inLab = (verb: string) => run(["ip", "address", verb, `${ADDRESS}/32`, "dev", bridge.name]);

export class Cloud {
  readonly address = ADDRESS;
  /** A name that is known by its DNS alone. */
  readonly name = `lb.${NAMESPACE}.svc.cluster.local`;
  private readonly server: Server = createServer((client) => this.lead(client).catch(() => client.destroy()));
  private readonly open = new Set<Socket>();
  private service = "";
  private watch?: NodeJS.Timeout;

  async begin(): Promise<void> {
    await inLab("add");
    this.server.listen(PORT, ADDRESS);
    await once(this.server, "listening");
    const metadata = { name: "lb", namespace: NAMESPACE };
    await apply(
      { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } },
      { apiVersion: "v1", kind: "Service", metadata, spec: { clusterIP: "None", ports: [{ port: PORT }] } },
      {
        apiVersion: "discovery.k8s.io/v1",
        kind: "EndpointSlice",
        metadata: { ...metadata, labels: { "kubernetes.io/service-name": "lb" } },
        addressType: "IPv4",
        endpoints: [{ addresses: [ADDRESS] }],
        ports: [{ port: PORT }],
      },
    );
  }

  async end(): Promise<void> {
    clearInterval(this.watch);
    for (const socket of this.open) socket.destroy();
    if (this.server.listening) await new Promise((done) => this.server.close(done));
    await inLab("del").catch(() => undefined);
    await kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found");
  }

  /** Gives a Service its address, or the name alone, and leads there from now on: as soon as there is such a Service. */
  give(namespace: string, service: string, by: "ip" | "hostname"): void {
    clearInterval(this.watch);
    this.service = `${namespace}/${service}`;
    const ingress = [by === "ip" ? { ip: ADDRESS } : { hostname: this.name }];
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
  private async lead(client: Socket): Promise<void> {
    const { spec } = await this.read();
    const nodePort = spec.ports.find(({ port }) => port === PORT)?.nodePort;
    if (nodePort === undefined) throw new Error(`${this.service} has no node port for ${PORT}`);
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
