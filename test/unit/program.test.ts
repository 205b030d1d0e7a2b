import assert from "node:assert/strict";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { authority, filesIn, istioctl, privateKey, Secret, UNKNOWN, valueOf } from "./support";
import { commands, config, KUBECONFIG, manifest, NOWHERE, restoreConfig, run, SSH_KEY } from "./wholeProgram";
import { HOST_LABEL } from "../../mesh/kubernetesObject";

describe("the program", () => {
  after(restoreConfig);

  let full: Awaited<ReturnType<typeof run>>;
  before(async () => {
    full = await run();
  });
  const all = () => full.resources.map(({ name }) => name);

  it("makes these resources, and no others", () => {
    const short = (type: string) => type.replace(/^.*[:/]/, "");
    const tree = (parent?: string, indent = ""): string[] =>
      full.resources
        .filter((resource) => resource.parent === parent)
        .map(({ type, name }) => ({ line: `${indent}${short(type)} ${name}`, name }))
        .sort((a, b) => (a.line < b.line ? -1 : 1))
        .flatMap(({ line, name }) => [line, ...tree(name, `${indent}  `)]);
    assert.equal(
      tree().join("\n"),
      `AuthorityRotation authorities
  ConfigMap authorities-trust
  Stash authorities-settled
CaCertsSecret cacerts
  Command cacerts-leftovers
  Namespace cacerts-namespace
  Secret cacerts-secret
CertificateAuthority ca
  CertRequest ca-intermediate-request
  LocallySignedCert ca-intermediate
  PrivateKey ca-intermediate-key
  PrivateKey ca-root-key
  SelfSignedCert ca-root
ControlPlaneExposure exposure
  ServicePatch exposure-istio-ingressgateway
  ServicePatch exposure-istiod
EndedIdentities ended
  Command ended-db/mysql
  Command ended-policies
  Command ended-vm/vm1
ExternalService service-db-mysql
  Service service-db-mysql-service
  ServiceEntry service-db-mysql-entry
IstioControlPlane istio
  CustomResourceDefinition istio-CustomResourceDefinition/gateways.networking.istio.io
  Deployment istio-Deployment/istio-system/istiod
  Service istio-Service/istio-system/istio-ingressgateway
  Service istio-Service/istio-system/istiod
  ValidatingWebhookConfiguration istio-ValidatingWebhookConfiguration/istio-validator-istio-system
MeshHost vm1
  Command vm1-access
  Command vm1-join
  Command vm1-withdrawal
MeshHost vm2
  Command vm2-access
  Command vm2-join
  Command vm2-withdrawal
MeshWorkload vm1-workload
  EnvoyFilter vm1-workload-detection
  ServiceEntry vm1-workload-db/mysql
MeshWorkload vm2-workload
  EnvoyFilter vm2-workload-detection
  ServiceEntry vm2-workload-db/mysql
Namespace namespace-db
Namespace namespace-vm
RandomId owner
SampleClient sleep
  Deployment sleep-deployment
  ServiceAccount sleep-account
ServiceAccount account-db/mysql
ServiceAccount account-vm/vm1
ServiceMembership vm1-membership
  WorkloadEntry vm1-membership-db
ServiceMembership vm2-membership
  WorkloadEntry vm2-membership-db
WorkloadIdentity vm1-identity
  CertRequest vm1-identity-request
  LocallySignedCert vm1-identity-certificate
  PrivateKey vm1-identity-key
WorkloadIdentity vm2-identity
  CertRequest vm2-identity-request
  LocallySignedCert vm2-identity-certificate
  PrivateKey vm2-identity-key
kubernetes cluster`,
    );
  });

  it("waits: authority, cacerts, control plane, exposure, identity, host, what it serves", () => {
    const istio = all().filter((name) => name.startsWith("istio-"));
    const waits: [string, string[]][] = [
      ["cacerts-secret", ["ca-intermediate", "ca-intermediate-key", "ca-root", "cacerts-namespace"]],
      ["istio", ["cacerts-namespace", "cacerts-secret"]],
      ["istio-Deployment/istio-system/istiod", istio.filter((name) => /Definition|Webhook/.test(name))],
      ["exposure", istio],
      ["vm1-identity", ["exposure-istiod", "exposure-istio-ingressgateway"]],
      ["account-vm/vm1", ["namespace-vm"]],
      ["vm1", ["exposure-istiod", "vm1-identity-certificate", "namespace-vm", "account-vm/vm1"]],
      ["vm1-join", ["vm1-access", "exposure-istiod", "vm1-identity-certificate", "vm1-identity-key", "owner"]],
      ["vm1-workload-db/mysql", [...istio, "namespace-db", "service-db-mysql-entry"]],
      ["vm1", ["vm1-workload-db/mysql"]],
      ["vm1-membership-db", ["vm1-access", "vm1-join", "vm1-withdrawal"]],
      ["service-db-mysql", [...istio, "namespace-db"]],
      ["sleep", istio],
    ];
    for (const [name, expected] of waits) {
      const { dependencies } = full.find(name);
      for (const other of expected) assert.ok(dependencies.includes(other), `${name} does not wait for ${other}`);
    }
    // A child is registered after its parent, and a parent after what it waits for.
    const order = [
      "ca",
      "cacerts-secret",
      "istio",
      "exposure-istiod",
      "vm1-identity-key",
      "vm1-join",
      "vm1-membership-db",
    ];
    assert.deepEqual(
      order,
      [...order].sort((a, b) => all().indexOf(a) - all().indexOf(b)),
    );
  });

  it("gives every object of Kubernetes its provider, and every one that it creates the owner's mark", () => {
    assert.deepEqual(full.find("cluster").inputs, {
      kubeconfig: KUBECONFIG,
      context: "east",
      enableConfigMapMutable: "true",
      enableSecretMutable: "true",
    });
    const objects = full.resources.filter(({ type }) => type.startsWith("kubernetes:"));
    assert.ok(objects.length > 10);
    for (const { type, name, provider, inputs } of objects) {
      assert.equal(provider, "cluster", name);
      const { labels } = inputs.metadata as { labels?: Record<string, string> };
      const owner = type.endsWith("Patch") ? undefined : "0123456789abcdef";
      assert.equal(labels?.["pulumi-istio-vm/owner"], owner, name);
    }
  });

  it("tells each host who it is, and where istiod is", () => {
    const text = (name: string) => full.find(`${name}-join`).inputs.stdin as string;
    for (const line of [
      "identity spiffe://example.org/ns/vm/sa/vm1",
      "istiod 31794 istiod.istio-system.svc 192.168.17.150",
      "hosts 192.168.17.150 istiod.istio-system.svc",
      "cluster.env ISTIO_SERVICE_CIDR=10.32.0.0/24",
      "cluster.env ISTIO_INBOUND_PORTS=3306,8080",
      "cluster.env ISTIO_PILOT_PORT=31794",
      "cluster.env POD_NAME=vm1",
      "cluster.env TRUST_DOMAIN=example.org",
      "cluster.env ISTIO_META_CLUSTER_ID=east",
      String.raw`sidecar.env ISTIO_METAJSON_LABELS="{\"app\":\"vm1\",\"pulumi-istio-vm/host\":\"vm1\"}"`,
    ]) {
      assert.ok(text("vm1").split("\n").includes(line), `${line} is not in\n${text("vm1")}`);
    }
    for (const line of ["identity spiffe://example.org/ns/db/sa/mysql", "cluster.env ISTIO_INBOUND_PORTS=*"]) {
      assert.ok(text("vm2").split("\n").includes(line));
    }
    const { subjectAltNames } = full.find("service-db-mysql-entry").inputs.spec as { subjectAltNames: string[] };
    // Of another namespace than the service.
    assert.deepEqual(subjectAltNames, ["spiffe://example.org/ns/vm/sa/vm1"]);
    const { annotations } = full.find("service-db-mysql-service").inputs.metadata as { annotations: object };
    assert.deepEqual(annotations, {
      "alpha.istio.io/canonical-serviceaccounts": "spiffe://example.org/ns/vm/sa/vm1",
    });
    const tlsMode = { "security.istio.io/tlsMode": "istio" };
    for (const [name, address, serviceAccount, label] of [
      ["vm1", "10.0.0.1", "vm1", { app: "vm1" }],
      ["vm2", "10.0.0.2", "mysql", { v: "2" }],
    ] as const) {
      const labels = { ...label, [HOST_LABEL]: name, ...tlsMode };
      assert.deepEqual(full.find(`${name}-membership-db`).inputs.spec, { address, serviceAccount, labels });
    }
    // As the sidecar of whichever says of itself, and as its entries do: Istio takes the latter where there are any.
    const { workloadSelector } = full.find("vm1-workload-detection").inputs.spec as { workloadSelector: object };
    assert.deepEqual(workloadSelector, { labels: { [HOST_LABEL]: "vm1" } });
  });

  it("has clients send plain text to a host before it lets go, and mutual TLS when it has taken on", async () => {
    const [first, second] = config.hosts;
    const hosts = [{ ...first, capture: "none" }, second];
    const { find } = await run({ hosts });
    const rule = "service-db-mysql-traffic-rule";
    const { trafficPolicy } = find(rule).inputs.spec as { trafficPolicy: object };
    assert.deepEqual(trafficPolicy, { tls: { mode: "DISABLE" } });
    for (const host of ["vm1", "vm2"]) assert.ok(!find(rule).dependencies.includes(`${host}-join`), host);
    // The other host of the service goes on as it is.
    assert.ok(find("vm1").dependencies.includes(rule) && !find("vm2").dependencies.includes(rule));
    const policy = { outlierDetection: { consecutive5xxErrors: 1 } };
    const services = [{ ...config.services[0], trafficPolicy: policy }];
    const taken = await run({ services });
    assert.deepEqual((taken.find(rule).inputs.spec as { trafficPolicy: object }).trafficPolicy, policy);
    for (const host of ["vm1", "vm2"]) assert.ok(taken.find(rule).dependencies.includes(`${host}-join`), host);
    assert.ok(full.resources.every(({ name }) => name !== rule));
    const text = (find("vm1-join").inputs.stdin as string).split("\n");
    for (const line of ["ISTIO_SERVICE_CIDR=", "ISTIO_INBOUND_PORTS=", "ISTIO_CUSTOM_IP_TABLES=true"]) {
      assert.ok(text.includes(`cluster.env ${line}`), line);
    }
  });

  it("has outputs that are no secrets", async () => {
    const { istiod, meshHosts, services } = full.result;
    assert.equal(await valueOf(istiod), "192.168.17.150:31794");
    const address = { addresses: ["192.168.17.150"], port: 31794, name: "istiod.istio-system.svc" };
    const told = { istiod: address, revision: "default", returnsUntil: "2027-01-01T00:00:00.000Z" };
    assert.deepEqual(await valueOf(pulumi.output(meshHosts)), {
      vm1: { ...told, identity: "spiffe://example.org/ns/vm/sa/vm1", state: "vm1-join: in sync" },
      vm2: { ...told, identity: "spiffe://example.org/ns/db/sa/mysql", state: "vm2-join: in sync" },
    });
    assert.deepEqual(await valueOf(pulumi.output(services)), {
      "mysql.db": "tcp://mysql.db.svc.cluster.local:3306",
    });
  });

  it("has private keys in secret inputs only, and the root's in two of them", () => {
    assert.doesNotMatch(JSON.stringify(full.resources), /PRIVATE KEY/);
    const holds = (value: unknown, key: string): boolean =>
      value instanceof Secret
        ? holds(value.value, key)
        : typeof value === "object" && value !== null
          ? Object.values(value).some((each) => holds(each, key))
          : typeof value === "string" && [key, base64(key)].some((form) => value.includes(form));
    const base64 = (key: string) => Buffer.from(key).toString("base64");
    const holders = (key: string) =>
      full.resources
        .filter(({ inputs }) => holds(inputs, key))
        .map(({ name }) => name)
        .sort();
    assert.deepEqual(holders(privateKey("ca-root-key")), ["ca-intermediate", "ca-root"]);
    assert.deepEqual(holders(privateKey("ca-intermediate-key")), [
      "ca-intermediate-request",
      "cacerts-secret",
      "vm1-identity-certificate",
      "vm2-identity-certificate",
    ]);
    assert.deepEqual(holders(privateKey("vm1-identity-key")), ["vm1-identity-request"]);
    assert.deepEqual(holders(SSH_KEY), ["vm1-access", "vm1-join", "vm2-access", "vm2-join"]);
  });

  it("previews a first run, in which hardly anything is known", async () => {
    const { result, resources } = await run({}, true);
    assert.deepEqual(resources.map(({ name }) => name).sort(), all().sort());
    const { vm1 } = result.meshHosts;
    assert.equal(vm1!.identity, "spiffe://example.org/ns/vm/sa/vm1");
    assert.equal(await valueOf(vm1!.state), UNKNOWN);
    assert.equal(resources.find(({ name }) => name === "vm1-join")?.inputs.stdin, UNKNOWN);
  });

  it("takes one's own authority, and then makes no key but the hosts'", async () => {
    const { certificate: pem, key } = await authority();
    const provided = { rootCert: pem, caCert: pem, certChain: pem, caKey: { secret: "caKey" } };
    const { resources, find } = await run({ ca: { provided }, caKey: key });
    assert.deepEqual(
      resources
        .filter(({ type }) => type.endsWith(":PrivateKey"))
        .map(({ name }) => name)
        .sort(),
      ["vm1-identity-key", "vm2-identity-key"],
    );
    assert.equal(filesIn(find("cacerts-secret").inputs)["ca-key.pem"], key);
    assert.doesNotMatch(JSON.stringify(resources), /PRIVATE KEY/);
  });

  it("gives istiod and hosts a normal form of one's own authority", async () => {
    const { certificate: pem, key } = await authority();
    const loose = `\uFEFFBag Attributes\r\n    friendlyName: ca\r\n${pem.trimEnd().replaceAll("\n", "\r\n")}`;
    const parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
    const provided = { rootCert: loose, caCert: loose, certChain: loose, caKey: { secret: "caKey" } };
    const { find } = await run({ ca: { provided }, caKey: parameters + key });
    assert.deepEqual(filesIn(find("cacerts-secret").inputs), {
      "root-cert.pem": pem,
      "ca-cert.pem": pem,
      "cert-chain.pem": pem,
      "ca-key.pem": key,
    });
    assert.equal(find("vm1-identity-certificate").inputs.caCertPem, pem);
  });

  it("opens istiod's ports on the gateway where hosts reach it there, and waits for that", async () => {
    const { find, resources } = await run({ exposure: { type: "LoadBalancer" } });
    const names = resources.map(({ name }) => name);
    const opened = names.filter((name) => name.startsWith("expansion-"));
    assert.deepEqual(opened.sort(), [
      "expansion-meshexpansion-dr-istiod",
      "expansion-meshexpansion-gateway",
      "expansion-meshexpansion-vs-istiod",
    ]);
    const istio = names.filter((name) => name.startsWith("istio-"));
    for (const name of istio) assert.ok(find("expansion").dependencies.includes(name));
    for (const name of [...istio, ...opened]) assert.ok(find("exposure").dependencies.includes(name));
  });

  describe("without an ingress gateway", () => {
    const without = { ...commands, istioctl: istioctl("1.31.0", manifest.replaceAll("istio-ingressgateway", "other")) };

    it("touches no Service that is not there, where hosts need none", async () => {
      const { resources, find } = await run({}, false, undefined, without);
      const patches = resources.filter(({ type }) => type.endsWith(":ServicePatch")).map(({ name }) => name);
      assert.deepEqual(patches, ["exposure-istiod"]);
      assert.match(find("vm1-join").inputs.stdin as string, /istiod 31794 istiod\.istio-system\.svc 192\.168\.17\.150/);
    });

    it("makes nothing where hosts need it", async () => {
      await assert.rejects(
        run({ exposure: { type: "LoadBalancer" } }, false, undefined, without),
        /there is no istio-ingressgateway, through which hosts reach istiod with exposure LoadBalancer/,
      );
    });
  });

  it("gives each service a resource of its own, and those that there were their former names as well", async () => {
    const service = (namespace: string, name: string) => ({ ...config.services[0], namespace, name });
    const names = async (...services: object[]) =>
      (await run({ services })).resources.flatMap(({ type, name, aliases }) =>
        type.endsWith(":ExternalService") ? [[name, ...aliases]] : [],
      );
    assert.deepEqual(await names(service("a-b", "c"), service("a", "b-c"), service("d-e", "f")), [
      ["service-a-b/c"],
      ["service-a-b-c"],
      ["service-d-e/f", "service-d-e-f"],
    ]);
  });

  it("has a package's URL that is a secret in no input", async () => {
    const url = "https://me:hunter2@example.org/a.deb?token=x";
    const sidecar = { url: { secret: "urlKey" }, sha256: "a".repeat(64) };
    const { resources, find } = await run({ sidecar, urlKey: `${url}\n` });
    assert.ok((find("vm1-join").inputs.stdin as string).includes(`package deb amd64 ${"a".repeat(64)} secret-url`));
    const plain = (value: unknown): unknown => (value instanceof Secret ? value.value : value);
    assert.doesNotMatch(
      JSON.stringify(resources, (_, value) => plain(value)),
      /hunter2/,
    );
  });

  it("gives a host packages of its own, and the stack's to the others", async () => {
    const [vm1, vm2] = config.hosts;
    const own = { url: "https://example.org/other.deb", sha256: "b".repeat(64) };
    const { find } = await run({ hosts: [{ ...vm1, sidecar: own }, vm2] });
    const packageOf = (name: string) => /^package .*/m.exec(find(`${name}-join`).inputs.stdin as string)?.[0];
    assert.equal(packageOf("vm1"), `package deb amd64 ${own.sha256} ${own.url}`);
    assert.equal(packageOf("vm2"), `package deb amd64 ${config.sidecar.sha256} ${config.sidecar.url}`);
  });

  it("makes no namespace that is there already, istio-system among them", async () => {
    const existingNamespaces = ["db", "istio-system"];
    const { resources, find } = await run({ cluster: { ...config.cluster, existingNamespaces } });
    assert.deepEqual(
      resources
        .filter(({ type }) => type.endsWith(":Namespace"))
        .map(({ name }) => name)
        .sort(),
      ["namespace-default", "namespace-vm"],
    );
    const { metadata } = find("cacerts-secret").inputs;
    assert.equal((metadata as { namespace: string }).namespace, "istio-system");
    // What istiod leaves in all namespaces is removed after the rest.
    assert.ok(find("cacerts-secret").dependencies.includes("cacerts-leftovers"));
  });

  it("takes a host that is gone out of its services", async () => {
    const { resources } = await run({ hosts: [{ ...config.hosts[0], gone: true }, config.hosts[1]] });
    const names = resources.map(({ name }) => name);
    for (const part of ["workload-db/mysql", "membership-db"]) {
      assert.ok(!names.includes(`vm1-${part}`));
      assert.ok(names.includes(`vm2-${part}`));
    }
    assert.ok(!names.includes("vm1-join"));
  });

  it("keeps a host that is drained, which serves nothing", async () => {
    const { resources } = await run({ hosts: [{ ...config.hosts[0], drain: true }, config.hosts[1]] });
    const names = resources.map(({ name }) => name);
    for (const name of ["vm1-join", "vm1-workload-db/mysql", "vm2-membership-db"])
      assert.ok(names.includes(name), name);
    assert.ok(!names.includes("vm1-membership-db"));
  });

  it("sends other networks to a gateway from when it has joined", async () => {
    const [first] = config.hosts;
    const gateway = { ...first, network: "site-b", gateway: true, inboundPorts: [] };
    const operator = { spec: { values: { global: { network: "net-a" } } } };
    const controlPlane = { install: { version: "1.31.0", operator } };
    const { find } = await run({ hosts: [gateway], services: [], controlPlane });
    const text = (find("vm1-join").inputs.stdin as string).split("\n");
    for (const line of [
      "cluster.env ISTIO_CUSTOM_IP_TABLES=true",
      "cluster.env ISTIO_META_NETWORK=site-b",
      "sidecar.env ISTIO_AGENT_FLAGS=router",
      "sidecar.env ISTIO_META_REQUESTED_NETWORK_VIEW=site-b",
    ]) {
      assert.ok(text.includes(line), `${line} is not in\n${text.join("\n")}`);
    }
    assert.ok(find("vm1").dependencies.includes("vm1-gateway-cross-network"));
    assert.ok(find("vm1-route-service").dependencies.includes("vm1-join"));
    const unnamed = await run({ hosts: [gateway], services: [] }).then(
      () => "",
      (error: Error) => error.message,
    );
    assert.match(unnamed, /vm1 is in network "site-b", and that of the cluster has no name/);
  });

  it("tells a host that is probed how, and for which entry it speaks", async () => {
    const probe = { tcpSocket: { port: 8080 } };
    const probed = { ...config.hosts[0], readinessProbe: probe, locality: "r/z", weight: 3 };
    const services = [{ ...config.services[0], namespace: "vm", hosts: ["vm1"] }];
    const { find, resources } = await run({ hosts: [probed], services });
    const state = (find("vm1-join").inputs.stdin as string).split("\n");
    assert.ok(state.includes("sidecar.env ISTIO_META_WORKLOAD_ENTRY=vm1.probed"), state.join("\n"));
    assert.ok(state.some((line) => line.startsWith("sidecar.env PROXY_CONFIG=") && line.includes("tcpSocket")));
    assert.ok(state.some((line) => line.includes("ISTIO_METAJSON_LABELS") && line.includes("r.z")));
    const { spec, metadata } = find("vm1-workload-probed").inputs as { spec: object; metadata: { labels: object } };
    assert.deepEqual(spec, { ...spec, locality: "r/z", weight: 3 });
    const serves = { "serves.pulumi-istio-vm/mysql": "true" };
    assert.deepEqual(metadata.labels, { ...metadata.labels, ...serves });
    assert.ok(!resources.some(({ name }) => name.startsWith("vm1-membership")));
    assert.match(find("vm1-withdrawal").inputs.delete as string, / '--entry=vm\/vm1\.probed'/);
    const drained = await run({ hosts: [{ ...probed, drain: true }], services });
    const { labels } = drained.find("vm1-workload-probed").inputs.metadata as { labels: object };
    assert.ok(!Object.keys(labels).some((label) => label.startsWith("serves.")), JSON.stringify(labels));
  });

  it("has hosts and services serve both families of addresses where the istiod that it installs does", async () => {
    const env = 'spec: {containers: [{name: discovery, env: [{name: ISTIO_DUAL_STACK, value: "true"}]}]}';
    const both = manifest.replace(/(metadata: \{labels: \{app: istiod\}\})\}\}$/m, `$1, ${env}}}`);
    const tools = { ...commands, istioctl: istioctl("1.31.0", both) };
    for (const [made, is] of [
      [full, false],
      [await run({}, false, undefined, tools), true],
    ] as const) {
      const state = made.find("vm1-join").inputs.stdin as string;
      assert.equal(/^cluster\.env ISTIO_DUAL_STACK=true$/m.test(state), is);
      const { ipFamilyPolicy } = made.find("service-db-mysql-service").inputs.spec as { ipFamilyPolicy?: string };
      assert.equal(ipFamilyPolicy, is ? "PreferDualStack" : undefined);
    }
  });

  it("ends an identity with the last of its hosts, by whatever name they go", async () => {
    const [vm1, vm2] = config.hosts;
    const endOf = async (...hosts: object[]) => {
      const { find, resources } = await run({ hosts, services: [] });
      const names = resources.filter(({ parent }) => parent === "ended").map(({ name }) => name);
      assert.deepEqual(names.sort(), ["ended-db/mysql", "ended-policies"]);
      const { create, delete: end } = find("ended-db/mysql").inputs;
      return { end: end as string, hasEnded: create === end };
    };
    const shared = { ...vm1, namespace: "db", serviceAccount: "mysql" };
    const renamed = await endOf({ ...vm2, name: "db1" });
    assert.match(renamed.end, /"pulumi-istio-vm\/host":"db1"/);
    assert.deepEqual([renamed.hasEnded, (await endOf(shared, { ...vm2, gone: true })).hasEnded], [false, false]);
    assert.ok((await endOf({ ...shared, gone: true }, { ...vm2, gone: true })).hasEnded);
  });

  it("makes only what is asked for", async () => {
    const { resources } = await run({
      hosts: [],
      services: [],
      sampleClient: undefined,
      serviceCidr: "*",
      ssh: {},
      sshKey: undefined,
    });
    assert.deepEqual(
      resources
        .filter(({ parent }) => parent === undefined)
        .map(({ name }) => name)
        .sort(),
      // `ended`: hosts may have been there before.
      ["authorities", "ca", "cacerts", "cluster", "ended", "exposure", "istio", "owner"],
    );
  });

  it("refuses a wrong configuration", async () => {
    await assert.rejects(
      run({ hosts: "vm1" }),
      /^ConfigError: IVM201 the stack's configuration has 1 problem:\n {2}hosts: "vm1"/,
    );
  });

  it("refuses a host whose key nobody knows", async () => {
    const ssh = { ...NOWHERE, hostKey: undefined, knownHosts: join(__dirname, "none") };
    await assert.rejects(
      run({ hosts: [{ ...config.hosts[0], ssh }], services: [] }),
      /^Error: IVM202 127\.0\.0\.1: .*none has no ed25519 or ecdsa host key for it/,
    );
  });

  it("refuses an SSH_AUTH_SOCK that leads nowhere before it makes anything, if there is a host to dial", async () => {
    const socket = join(__dirname, "none");
    await assert.rejects(run({}, true, socket), /^Error: IVM208 SSH_AUTH_SOCK is .*none, where no ssh-agent answers/);
    await run({ hosts: [], services: [] }, true, socket);
  });

  describe("with hosts that have their identity by a token", () => {
    const byToken = () => run({ identity: "token" });

    it("asks for it once the service account is there, which each host has for itself", async () => {
      const { find, resources } = await byToken();
      assert.ok(resources.some(({ name, type }) => name === "account-vm/vm1" && /ServiceAccount$/.test(type)));
      assert.ok(find("vm1").dependencies.includes("account-vm/vm1"), "and what belongs to the host begins after it");
      assert.match(find("vm1-join").inputs.stdin as string, /token:spiffe:\/\/example\.org\/ns\/vm\/sa\/vm1$/m);
    });

    it("makes no key for them, and has no certificate of theirs", async () => {
      const { resources } = await byToken();
      assert.deepEqual(
        resources.map(({ name }) => name).filter((name) => /identity/.test(name)),
        [],
      );
    });

    it("asks kubectl for none in a preview", async () => {
      const none = { ...commands, kubectl: `case "$*" in *" create token "*) exit 9 ;; esac\n${commands.kubectl}` };
      await run({ identity: "token" }, true, undefined, none);
    });
  });
});
