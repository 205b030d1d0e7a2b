/** A stack whose CA is replaced, under load in every direction: what the tests of that share. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { assertInsideLab } from "../../../lab/exec";
import { labByName, vmByName } from "../../../lab/paths";
import { until } from "../../../lab/run";
import { resetVm, vmExec } from "../../../lab/vm";
import { splitChain } from "../../../mesh/certificates";
import { pemBlocks } from "../../../mesh/pem";
import { type Authorities, authoritiesText, keyDigest } from "../../../mesh/rotation";
import { trustOfProxies } from "../../../tools/proxies";
import { privateKeysOf } from "../../support/privateKeys";
import { labConfig, type StackConfig, TestStack } from "../../support/testStack";
import { fromPod, fromVm, requestsDuring, type Source } from "../../support/traffic";
import { apply, kubectl, podAddress, SERVICE_URL } from "../mesh";

/** A server in a pod, by what its image has. */
const ECHO = `use IO::Socket::INET; $SIG{CHLD} = "IGNORE";
my $server = IO::Socket::INET->new(LocalPort => 8080, Listen => 50, ReuseAddr => 1) or die;
while (my $client = $server->accept) {
  next if fork;
  while (<$client>) { last if /^\\r?\\n/ }
  print $client "HTTP/1.1 200 OK\\r\\nContent-Length: 4\\r\\nConnection: close\\r\\n\\r\\npod\\n";
  exit;
}`;

const echo = (image: string) => [
  {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "echo", namespace: "default" },
    spec: {
      selector: { matchLabels: { app: "echo" } },
      template: {
        metadata: { labels: { app: "echo", "sidecar.istio.io/inject": "true" } },
        spec: { containers: [{ name: "echo", image, command: ["perl", "-e", ECHO] }] },
      },
    },
  },
  {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "echo", namespace: "default" },
    spec: { selector: { app: "echo" }, ports: [{ name: "http", port: 8080 }] },
  },
];

const strict = (namespace: string) => ({
  apiVersion: "security.istio.io/v1",
  kind: "PeerAuthentication",
  metadata: { name: "rotating-strict", namespace },
  spec: { mtls: { mode: "STRICT" } },
});

export const HOSTS = ["vm1", "vm2"];

/** By which a host proves who it is. */
export interface Identity {
  cert: string;
  key: string;
}

export const signerOf = (chain: string) => keyDigest(splitChain(chain)[1]!);

export class Site {
  readonly lab = labByName();
  readonly stack = new TestStack();
  /** Event logs of the engine. */
  readonly folder = mkdtempSync(join(tmpdir(), "rotating-logs-"));
  readonly arguments = new Set<string>();
  /** Every private key that authorities and hosts have had. */
  readonly keys = new Set<string>();
  private readonly files = mkdtempSync(join(tmpdir(), "rotating-"));
  private sources: Source[] = [];
  private ups = 0;
  private ca: object = {};
  private readonly base: StackConfig = {
    ...labConfig(),
    hosts: HOSTS.map((name) => ({
      name,
      address: vmByName(this.lab, name).address,
      namespace: "vm",
      inboundPorts: [8080],
      labels: { app: "vmhttp" },
      identity: name === "vm1" ? "certificate" : "token",
    })),
    services: [{ name: "vmhttp", namespace: "vm", hosts: HOSTS, ports: [{ port: 8080 }] }],
  };

  /** Fresh machines, the stack, pods and hosts that refuse everything but mutual TLS, and answers in every direction. */
  async begin(): Promise<void> {
    assertInsideLab();
    await Promise.all(HOSTS.map((name) => resetVm(this.lab, name)));
    await this.stack.init({ ...this.base, ca: this.ca });
    await this.up();
    await apply(...echo((this.base.sampleClient as { image: string }).image), strict("vm"), strict("default"));
    await kubectl("rollout", "status", "deployment/echo", "--timeout=120s");
    const echoIp = await kubectl("get", "service", "echo", "--output=jsonpath={.spec.clusterIP}");
    this.sources = [
      fromPod("pod to hosts", SERVICE_URL),
      fromPod("pod to pod", "http://echo.default.svc.cluster.local:8080"),
      ...HOSTS.map((vm) => fromVm(this.lab, vm, `${vm} to pod`, `http://${echoIp}:8080`)),
    ];
    for (const { sh, url, name } of this.sources) {
      const once = () => sh(`curl -s -o /dev/null -w '%{http_code}' --max-time 5 ${url}`).catch(() => "");
      await until(`an answer, ${name}`, 60, async () => (await once()) === "200");
    }
  }

  async end(): Promise<void> {
    for (const folder of [this.files, this.folder]) rmSync(folder, { recursive: true });
    await kubectl("delete", "deployment,service", "echo", "--ignore-not-found");
    await kubectl("delete", "peerauthentication", "--all-namespaces", "--field-selector=metadata.name=rotating-strict");
    await this.stack.succeed(["destroy", "--yes", "--skip-preview"]);
    this.stack.remove();
  }

  /** @param ca the one that is wanted; that of before, if it is not said */
  configure(ca = this.ca, changes = (config: StackConfig) => config): void {
    this.ca = ca;
    this.stack.configure({ ...changes(this.base), ca });
  }

  async up(): Promise<string> {
    const log = join(this.folder, `up-${++this.ups}.log`);
    const words = ["up", "--yes", "--skip-preview", `--event-log=${log}`];
    const { output } = await this.stack.succeed(words, { PULUMI_DEBUG_COMMANDS: "1" });
    await this.noteKeys();
    return output;
  }

  /** The same; kills so many istiods, or all that there are, as soon as the secret is written. */
  async upWithoutIstiod(killed = Infinity): Promise<void> {
    const of = ["--namespace=istio-system", "--output=name"];
    const running = this.stack.begin(["up", "--yes", "--skip-preview"]);
    await running.untilSaid(/cacerts-secret updated/);
    const pods = (await kubectl("get", "pods", "--selector=app=istiod", ...of)).trim().split("\n");
    await kubectl("delete", ...pods.slice(0, killed), "--wait=false", ...of);
    const { exitCode, output } = await running.outcome;
    assert.equal(exitCode, 0, output);
    await this.noteKeys();
  }

  private async noteKeys(): Promise<void> {
    for (const key of privateKeysOf(await this.state())) this.keys.add(key);
    for (const vm of HOSTS) this.keys.add(await this.workloadKey(vm));
  }

  /** What Pulumi keeps, secrets shown. */
  async state(): Promise<string> {
    return (await this.stack.succeed(["stack", "export", "--show-secrets"])).stdout;
  }

  async authorities(): Promise<string> {
    const { stdout } = await this.stack.succeed(["stack", "output", "authorities", "--json"]);
    return authoritiesText(JSON.parse(stdout) as Authorities);
  }

  /** Figures of all directions, of which none may have failed. */
  async unnoticed(what: string, work: () => Promise<unknown>): Promise<void> {
    const begun = performance.now();
    const requests = await requestsDuring(this.sources, work);
    const traffic = this.sources.map(({ name }, n) => ({
      name,
      made: requests[n]!.length,
      failed: requests[n]!.filter(({ status }) => status !== 200),
    }));
    const figures = traffic.map(({ name, made, failed }) => `${name}: ${failed.length} of ${made} failed`).join(", ");
    console.log(`        ${what}, ${Math.round((performance.now() - begun) / 1000)} s: ${figures}`);
    for (const { name, made, failed } of traffic) {
      assert.ok(made > 50, `${name}: only ${made} requests`);
      assert.deepEqual(failed, [], name);
    }
  }

  sh(vm: string, script: string): Promise<string> {
    return vmExec(this.lab, vm, ["sh", "-euc", script]);
  }

  /** A file of the secret from which istiod takes its CA. */
  async secretOf(file: string): Promise<string> {
    const path = `--output=jsonpath={.data.${file.replace(".", "\\.")}}`;
    return Buffer.from(
      await kubectl("get", "secret", "cacerts", "--namespace=istio-system", path),
      "base64",
    ).toString();
  }

  /** The certificate that istiod has given a host, and its issuers. */
  chainOf(vm: string): Promise<string> {
    return this.sh(vm, "cat /etc/certs/cert-chain.pem");
  }

  /** The key of that. */
  workloadKey(vm: string): Promise<string> {
    return this.sh(vm, "cat /etc/certs/key.pem");
  }

  async sentIdentity(vm: string): Promise<Identity> {
    return {
      cert: await this.sh(vm, "cat /var/lib/istio/identity/cert-chain.pem"),
      key: await this.sh(vm, "cat /var/lib/istio/identity/key.pem"),
    };
  }

  /** How many revocation lists hosts and a pod check by. */
  async lists(): Promise<number[]> {
    const proxies = await trustOfProxies((args) => kubectl(...args), [], []);
    const pod = proxies.find(({ proxy }) => proxy.startsWith("echo-"));
    const texts = await Promise.all(HOSTS.map((vm) => this.sh(vm, "cat /run/secrets/istio/crl/ca-crl.pem")));
    return [...texts, pod?.lists ?? ""].map((text) => pemBlocks(text).length);
  }

  /** Who serves: hosts and a pod. */
  async servers(): Promise<string[]> {
    return [...HOSTS.map((name) => vmByName(this.lab, name).address), await podAddress("echo")];
  }

  /** What each of them makes of a request with that identity, from outside the mesh. */
  async allAnswer(addresses: string[], { cert, key }: Identity, wanted: "200" | "refused"): Promise<void> {
    const [certFile, keyFile] = [this.file("cert.pem", cert), this.file("key.pem", key)];
    const words = ["-s", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "5", "-k"];
    for (const address of addresses) {
      const args = [...words, "--cert", certFile, "--key", keyFile, `https://${address}:8080/`];
      const { exitCode, stdout } = await execa("curl", args, { reject: false });
      assert.equal(exitCode === 0 ? stdout : "refused", wanted, address);
    }
  }

  /** @throws unless openssl verifies a certificate with its issuers, by the roots of the mesh */
  async assertVerified(name: string, chain: string): Promise<void> {
    const [roots, file] = [this.file("roots.pem", await this.secretOf("root-cert.pem")), this.file("chain.pem", chain)];
    const args = ["verify", "-purpose", "any", "-CAfile", roots, "-untrusted", file, file];
    assert.match((await execa("openssl", args)).stdout, /: OK$/, name);
  }

  private file(name: string, text: string): string {
    writeFileSync(join(this.files, name), text, { mode: 0o600 });
    return join(this.files, name);
  }
}
