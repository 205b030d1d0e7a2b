/** Somebody who has a host's key and certificate, on no machine of the mesh. */
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { vmByName } from "../../../lab/paths";
import { until } from "../../../lab/run";
import { kubectl, podAddress } from "../mesh";
import { BY_TOKEN, type Site } from "./site";

/** What a server of the mesh does with a request: its status, or that it ends the connection. */
type Reaction = string;

const REVOKED: Reaction = "its certificate is revoked";

interface Server {
  host: string;
  port: number;
  /** What it does with an identity that has ended. */
  refuses: Reaction;
}

const POD_PORT = 8000;
const POD_SERVER = `$s = IO::Socket::INET->new(LocalPort => ${POD_PORT}, Listen => 9, ReuseAddr => 1) or die;
while ($c = $s->accept) { sysread $c, $_, 4096; print $c "HTTP/1.0 200 OK\\r\\n\\r\\n"; close $c }`;

export class Thief {
  private constructor(
    private readonly key: string,
    private readonly cert: string,
  ) {}

  /** What a host was sent; of one with a token, what its agent made. */
  static async of(site: Site, name: string): Promise<Thief> {
    const folder = name === BY_TOKEN ? "/etc/certs" : "/var/lib/istio/identity";
    const [key, cert] = await Promise.all(
      ["key.pem", "cert-chain.pem"].map((f) => site.sh(name, `cat ${folder}/${f}`)),
    );
    return new Thief(key!, cert!);
  }

  /** Requests a page as that host, as its sidecar would: by mutual TLS with Istio's ALPN. */
  private async ask({ host, port }: Server): Promise<Reaction> {
    const { key, cert } = this;
    const options = {
      host,
      port,
      key,
      cert,
      rejectUnauthorized: false,
      ALPNProtocols: ["istio"],
      agent: false,
    } as const;
    const call = request({ ...options, timeout: 5000 });
    call.on("timeout", () => call.destroy(new Error("timeout"))).end();
    try {
      const [answer] = (await once(call, "response")) as [IncomingMessage];
      const body = (await answer.setEncoding("utf8").toArray()).join("");
      return answer.statusCode === 200 ? "200" : `${answer.statusCode} ${body}`;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === "ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_REVOKED") return REVOKED;
      return code === "ECONNRESET" ? "closed" : message;
    }
  }

  private async until(servers: Server[], wanted: (server: Server) => Reaction, seconds = 30): Promise<void> {
    for (const server of servers) {
      let last: Reaction = "";
      await until(
        `${server.host}:${server.port} to answer: ${wanted(server)}`,
        seconds,
        async () => (last = await this.ask(server)) === wanted(server),
        () => `it answered: ${last}`,
      );
    }
  }

  isAccepted = (servers: Server[]) => this.until(servers, () => "200");
  /** The kubelet brings lists to pods within two minutes. */
  isRevoked = (servers: Server[]) => this.until(servers, () => REVOKED, 150);
  isRefused = (servers: Server[]) => this.until(servers, ({ refuses }) => refuses);
}

/** A host's sidecar, which speaks HTTP. */
export const hostServer = (site: Site, name: string): Server => ({
  host: vmByName(site.lab, name).address,
  port: 8080,
  refuses: "403 RBAC: access denied",
});

/** A port of the sample pod that is no service's: its sidecar only knows that it is TCP. */
export async function podServer(): Promise<Server> {
  const perl = `perl -MIO::Socket::INET -e '${POD_SERVER}' >/dev/null 2>&1 </dev/null &`;
  await kubectl("exec", "deploy/sleep", "--container=sleep", "--", "sh", "-c", perl);
  return { host: await podAddress("sleep"), port: POD_PORT, refuses: "closed" };
}
