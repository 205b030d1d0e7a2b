/** Another CA takes the place of the mesh's, under load in every direction. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { assertInsideLab } from "../../lab/exec";
import { labByName, vmByName } from "../../lab/paths";
import { until } from "../../lab/run";
import { resetVm, vmExec } from "../../lab/vm";
import { splitChain } from "../../mesh/certificates";
import { type Authorities, authoritiesText, keyDigest } from "../../mesh/rotation";
import { labConfig, type StackConfig, TestStack } from "../support/testStack";
import { THOROUGH } from "../host/times";
import { fromPod, fromVm, requestsDuring, type Source } from "../support/traffic";
import { apply, kubectl, SERVICE_URL } from "./mesh";

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

interface Identity {
  cert: string;
  key: string;
}

describe("another CA", function () {
  assertInsideLab();
  const lab = labByName();
  const stack = new TestStack();
  const folder = mkdtempSync(join(tmpdir(), "rotating-"));
  const config = labConfig();
  const sh = (vm: string, script: string) => vmExec(lab, vm, ["sh", "-euc", script]);
  const hosts = [1, 2].map((n) => ({
    name: `vm${n}`,
    address: vmByName(lab, `vm${n}`).address,
    namespace: "vm",
    inboundPorts: [8080],
    labels: { app: "vmhttp" },
    identity: n === 1 ? "certificate" : "token",
  }));
  let sources: Source[] = [];
  let ca: object = {};

  const configure = (wanted: object, changes: StackConfig = {}) => {
    ca = wanted;
    stack.configure({ ...base, ca: wanted, ...changes });
  };
  const base: StackConfig = {
    ...config,
    hosts,
    services: [{ name: "vmhttp", namespace: "vm", hosts: ["vm1", "vm2"], ports: [{ port: 8080 }] }],
  };
  const up = () => stack.succeed(["up", "--yes", "--skip-preview"]);
  /** Kills istiod as soon as the update has written the secret. */
  async function upWithoutIstiod(): Promise<void> {
    const running = stack.begin(["up", "--yes", "--skip-preview"]);
    await running.untilSaid(/cacerts-secret updated/);
    await kubectl("delete", "pod", "--namespace=istio-system", "--selector=app=istiod", "--wait=false");
    const { exitCode, output } = await running.outcome;
    assert.equal(exitCode, 0, output);
  }
  const authorities = async () => {
    const { stdout } = await stack.succeed(["stack", "output", "authorities", "--json"]);
    return authoritiesText(JSON.parse(stdout) as Authorities);
  };
  /** Figures of all directions, of which none may have failed. */
  async function unnoticed(what: string, work: () => Promise<unknown>): Promise<void> {
    const begun = Date.now();
    const requests = await requestsDuring(sources, work);
    const traffic = sources.map(({ name }, n) => ({
      name,
      made: requests[n]!.length,
      failed: requests[n]!.filter(({ status }) => status !== 200),
    }));
    const figures = traffic.map(({ name, made, failed }) => `${name}: ${failed.length} of ${made} failed`).join(", ");
    console.log(`        ${what}, ${Math.round((Date.now() - begun) / 1000)} s: ${figures}`);
    for (const { name, made, failed } of traffic) {
      assert.ok(made > 50, `${name}: only ${made} requests`);
      assert.deepEqual(failed, [], name);
    }
  }
  /** The certificates in the secret, and what a proxy has. */
  const secretOf = async (file: string) => {
    const data = await kubectl(
      "get",
      "secret",
      "cacerts",
      "--namespace=istio-system",
      `--output=jsonpath={.data.${file.replace(".", "\\.")}}`,
    );
    return Buffer.from(data, "base64").toString();
  };
  const chainOf = (vm: string) => sh(vm, "cat /etc/certs/cert-chain.pem");
  const signerOf = (chain: string) => keyDigest(splitChain(chain)[1]!);
  const sentIdentity = async (vm: string): Promise<Identity> => ({
    cert: await sh(vm, "cat /var/lib/istio/identity/cert-chain.pem"),
    key: await sh(vm, "cat /var/lib/istio/identity/key.pem"),
  });
  /** What becomes of a request with that identity, from outside the mesh. */
  async function ask(address: string, { cert, key }: Identity): Promise<string> {
    const [certFile, keyFile] = ["cert", "key"].map((name) => join(folder, `${name}.pem`));
    writeFileSync(certFile!, cert);
    writeFileSync(keyFile!, key, { mode: 0o600 });
    const words = [
      "-s",
      "-o",
      "/dev/null",
      "-w",
      "%{http_code}",
      "--max-time",
      "5",
      "-k",
      "--cert",
      certFile!,
      "--key",
      keyFile!,
    ];
    const { exitCode, stdout } = await execa("curl", [...words, `https://${address}:8080/`], { reject: false });
    return exitCode === 0 ? stdout : "refused";
  }
  const podAddress = () => kubectl("get", "pod", "--selector=app=echo", "--output=jsonpath={.items[0].status.podIP}");
  const everywhere = async () => [vmByName(lab, "vm1").address, vmByName(lab, "vm2").address, await podAddress()];

  before(async function () {
    this.timeout(900_000);
    await Promise.all([resetVm(lab, "vm1"), resetVm(lab, "vm2")]);
    await stack.init({ ...base, ca });
    await up();
    await apply(...echo((config.sampleClient as { image: string }).image), strict("vm"), strict("default"));
    await kubectl("rollout", "status", "deployment/echo", "--timeout=120s");
    const echoIp = await kubectl("get", "service", "echo", "--output=jsonpath={.spec.clusterIP}");
    sources = [
      fromPod("pod to hosts", SERVICE_URL),
      fromPod("pod to pod", "http://echo.default.svc.cluster.local:8080"),
      fromVm(lab, "vm1", "vm1 to pod", `http://${echoIp}:8080`),
      fromVm(lab, "vm2", "vm2 to pod", `http://${echoIp}:8080`),
    ];
    for (const { sh: run, url, name } of sources) {
      const once = () => run(`curl -s -o /dev/null -w '%{http_code}' --max-time 5 ${url}`).catch(() => "");
      await until(`an answer, ${name}`, 60, async () => (await once()) === "200");
    }
  });

  after(async function () {
    this.timeout(600_000);
    rmSync(folder, { recursive: true });
    await kubectl("delete", "deployment,service", "echo", "--ignore-not-found");
    await kubectl("delete", "peerauthentication", "--all-namespaces", "--field-selector=metadata.name=rotating-strict");
    await stack.succeed(["destroy", "--yes", "--skip-preview"]);
    stack.remove();
  });

  // Variants of one mechanism: make test-faults.
  if (THOROUGH) {
    it("an intermediate takes the place of another, with an istiod that dies in the middle", async function () {
      this.timeout(900_000);
      const before = await chainOf("vm1");
      configure({ intermediate: 2 });
      await unnoticed("an intermediate", async () => {
        await up();
        assert.equal(await authorities(), "1.1 of 1.1 1.2");
        await upWithoutIstiod();
        assert.equal(await authorities(), "1.2 of 1.1 1.2");
        for (const vm of ["vm1", "vm2"]) assert.notEqual(signerOf(await chainOf(vm)), signerOf(before), vm);
        await up();
        assert.equal(await authorities(), "1.2 of 1.2");
      });
      await stack.succeed(["preview", "--expect-no-changes"]);
    });
  }

  it("a root takes the place of another, with an istiod that dies in the middle", async function () {
    this.timeout(900_000);
    const first = THOROUGH ? "1.2" : "1.1";
    const old = await sentIdentity("vm1");
    const addresses = await everywhere();
    for (const address of addresses) assert.equal(await ask(address, old), "200", address);
    configure({ root: 2 });
    await unnoticed("a root", async () => {
      await up();
      assert.equal(await authorities(), `${first} of ${first} 2.1`);
      await upWithoutIstiod();
      assert.equal(await authorities(), `2.1 of ${first} 2.1`);
      // Until the end it is believed by all.
      for (const address of addresses) assert.equal(await ask(address, old), "200", address);
      await up();
      assert.equal(await authorities(), "2.1 of 2.1");
    });
    for (const address of addresses) assert.equal(await ask(address, old), "refused", address);
    for (const address of addresses) assert.equal(await ask(address, await sentIdentity("vm1")), "200", address);
    await stack.succeed(["preview", "--expect-no-changes"]);
  });

  it("is turned back when it signs already, with an istiod that dies in the middle", async function () {
    this.timeout(900_000);
    const before = signerOf(await chainOf("vm1"));
    configure({ root: 3 });
    await unnoticed("a root, and back", async () => {
      await up();
      await up();
      assert.equal(await authorities(), "3.1 of 2.1 3.1");
      assert.notEqual(signerOf(await chainOf("vm2")), before);
      configure({ root: 2 });
      await upWithoutIstiod();
      assert.equal(await authorities(), "2.1 of 2.1 3.1");
      for (const vm of ["vm1", "vm2"]) assert.equal(signerOf(await chainOf(vm)), before, vm);
      await up();
      assert.equal(await authorities(), "2.1 of 2.1");
    });
  });

  if (THOROUGH) {
    it("waits for a host that can't be asked, and names it; or leaves it behind, which comes back by itself", async function () {
      this.timeout(900_000);
      configure({ root: 3 });
      await up();
      assert.equal(await authorities(), "2.1 of 2.1 3.1");
      await sh("vm2", "systemctl stop istio; iptables -I INPUT -p tcp --dport 22 -j DROP");
      const { output } = await stack.succeed(["up", "--yes", "--skip-preview"]);
      assert.match(output, /the replacement of the CA waits[^]*vm2\.vm can't be asked/);
      assert.equal(await authorities(), "2.1 of 2.1 3.1");
      configure({ root: 3, rotation: { absent: "leave", until: "activate" } });
      await up();
      assert.equal(await authorities(), "3.1 of 2.1 3.1");
      // By the root that it knew, which has certified the other one.
      await sh("vm2", "systemctl start istio");
      const signer = keyDigest(await secretOf("ca-cert.pem"));
      await until("vm2 to be certified by the other CA", 60, async () => signerOf(await chainOf("vm2")) === signer);
      await sh("vm2", "iptables -D INPUT -p tcp --dport 22 -j DROP");
      configure({ root: 3 });
      await up();
      assert.equal(await authorities(), "3.1 of 3.1");
    });
  }

  it("has chains that openssl verifies, and no root's key anywhere but in the encrypted state", async () => {
    const root = join(folder, "root.pem");
    writeFileSync(root, await secretOf("root-cert.pem"));
    for (const [name, chain] of Object.entries({
      istiod: await secretOf("cert-chain.pem"),
      "vm1 by itself": await chainOf("vm1"),
      "vm1 as sent": (await sentIdentity("vm1")).cert,
      vm2: await chainOf("vm2"),
    })) {
      const file = join(folder, "chain.pem");
      writeFileSync(file, chain);
      const { stdout } = await execa("openssl", [
        "verify",
        "-purpose",
        "any",
        "-CAfile",
        root,
        "-untrusted",
        file,
        file,
      ]);
      assert.match(stdout, /: OK$/, name);
    }
    const { stdout } = await stack.succeed(["stack", "export"]);
    assert.doesNotMatch(stdout, /PRIVATE KEY/);
  });
});
