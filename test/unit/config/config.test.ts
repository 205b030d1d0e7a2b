import assert from "node:assert/strict";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { expandHome } from "../../../config/homePath";
import { loadConfig } from "../../../config/stackConfig";
import { type Config, ConfigError, installationOf, parseConfig } from "../../../config";
import { RESERVED_VARIABLES } from "../../../mesh/environment";
import { sshKeyPair, withDirectory } from "../support";

const SHA = "a".repeat(64);
const { private: KEY, public: HOST_KEY } = sshKeyPair();
/** What gives the key away. */
const TRACE = KEY.split("\n")[2]!;
/** Of nobody; its key was never kept. */
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBlTCCATugAwIBAgIUfHNQcAo0DjDJMbLI+HxUK/qSc7cwCgYIKoZIzj0EAwIw
HzEdMBsGA1UEAwwUQSB0ZXN0J3MgY2VydGlmaWNhdGUwIBcNMjYxMTIzMTg0OTQ2
WhgPMjEyNjEwMzAxODQ5NDZaMB8xHTAbBgNVBAMMFEEgdGVzdCdzIGNlcnRpZmlj
YXRlMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEk/b7yMPT7uUg5hY9Xdlni+5r
+jsAr9Bmcd3spy5JIrd/ytCp7uvtUq6SrB3ApdJrBaUSvzFPLtfTaApuvMTZ76NT
MFEwHQYDVR0OBBYEFFu67H/F4JTtca87Bu4IJaCsIsTUMB8GA1UdIwQYMBaAFFu6
7H/F4JTtca87Bu4IJaCsIsTUMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwID
SAAwRQIganQbbMXz65gygTl/CebPiWYzwcu5VHEV+mBfamYz5LICIQDsz/v6i4jD
EfEopvTwjUJEoElVb6Ahu09TCrs4smW7OQ==
-----END CERTIFICATE-----
`;

const minimal = {
  controlPlane: { install: { version: "1.31.0" } },
  exposure: { type: "NodePort", nodeAddresses: ["192.168.17.150"] },
  sidecar: { url: "https://example.org/istio-sidecar.deb", sha256: SHA },
};
const CONTROL_PLANE = "{install: {version: VERSION}} or {existing: {}}";
const install = (operator: unknown) => ({ controlPlane: { install: { version: "1.31.0", operator } } });
const vm1 = { name: "vm1", address: "10.0.0.1", namespace: "vm", inboundPorts: [3306, 8080] };
const vm2 = { ...vm1, name: "vm2", address: "10.0.0.2" };
const mysql = { name: "mysql", namespace: "vm", hosts: ["vm1"], ports: [{ port: 3306, protocol: "TCP" }] };
const provided = { rootCert: CERTIFICATE, caCert: CERTIFICATE, certChain: CERTIFICATE, caKey: { secret: "caKey" } };

/** Of a text that begins with a certificate. */
const refusedPem = (field: string, problem: string) =>
  `ca.provided.${field}: "-----BEGIN CERTIFICATE-----\\n${CERTIFICATE.split("\n")[1]!.slice(0, 27)}... is not allowed; expected a certificate in PEM${problem}`;

/** The configuration as Pulumi hands it over: texts as they are, anything else as JSON. */
function parse(
  changes: Record<string, unknown> = {},
  secrets: string[] = [],
  texts: Record<string, string> = {},
): Config {
  const values = Object.entries({ ...minimal, ...changes })
    .filter(([, value]) => value !== undefined)
    .map(([key, value]): [string, string] => [key, typeof value === "string" ? value : JSON.stringify(value)]);
  return parseConfig({
    values: { ...Object.fromEntries(values), ...Object.fromEntries(secrets.map((name) => [name, texts[name] ?? KEY])) },
    isSecret: (key) => secrets.includes(key),
  });
}

function refusal(changes: Record<string, unknown>, secrets: string[] = [], texts = {}): ConfigError {
  try {
    parse(changes, secrets, texts);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error;
  }
  throw new assert.AssertionError({ message: `accepted ${JSON.stringify(changes)}` });
}

/** A file with a key in it. */
let folder: string;
const keyFile = () => join(folder, "id");
before(() => {
  folder = mkdtempSync(join(tmpdir(), "istio-vm-unit-"));
  writeFileSync(keyFile(), KEY);
});
after(() => rmSync(folder, { recursive: true }));

describe("parseConfig", () => {
  it("fills in the defaults", () => {
    const { url, sha256 } = minimal.sidecar;
    assert.deepEqual(parse(), {
      ...minimal,
      sidecar: [{ format: "deb", architecture: "amd64", source: { url }, sha256, place: "sidecar" }],
      cluster: {
        name: "Kubernetes",
        trustDomain: "cluster.local",
        domain: "cluster.local",
        existingNamespaces: ["default"],
      },
      controlPlane: { install: { version: "1.31.0", operator: {}, operatorText: '{"kind":"IstioOperator"}' } },
      serviceCidr: "auto",
      ca: {
        organization: "Istio",
        commonName: "Root CA",
        keyAlgorithm: "ECDSA-P256",
        rootValidityHours: 87600,
        intermediateValidityHours: 43800,
        earlyRenewalHours: 4380,
        revocationLists: false,
        root: 1,
        intermediate: 1,
        rotation: { until: "retire", absent: "wait" },
      },
      workloadCertificate: { validityHours: 8760, earlyRenewalHours: 4380 },
      hosts: [],
      healDrift: false,
      denyEnded: true,
      services: [],
    });
    const { hosts, services, sampleClient } = parse({ hosts: [vm1], services: [mysql], sampleClient: {} });
    const ssh = {
      host: "10.0.0.1",
      port: 22,
      user: "root",
      key: { agent: true, place: "ssh.key" },
      hostKey: undefined,
      knownHosts: join(homedir(), ".ssh/known_hosts"),
      verifyHostKey: true,
      bastion: undefined,
    };
    const filledIn = {
      ssh,
      serviceAccount: "vm1",
      identity: "certificate",
      revision: "default",
      sidecar: [{ format: "deb", architecture: "amd64", source: { url }, sha256, place: "sidecar" }],
      capture: "all",
      dns: false,
      gateway: false,
      drain: false,
      environment: {},
      labels: { app: "vm1" },
      adopt: false,
      gone: false,
    };
    assert.deepEqual(hosts, [{ ...vm1, ...filledIn }]);
    assert.deepEqual(services, [{ ...mysql, ports: [{ port: 3306, targetPort: 3306, protocol: "TCP" }] }]);
    assert.deepEqual(sampleClient, { namespace: "default", image: "curlimages/curl:8.17.0" });
    assert.equal(parse({ services: [] }).services.length, 0);
  });

  it("accepts revocation lists from the version on that takes them", () => {
    const install = (version: string) => ({ ca: { revocationLists: true }, controlPlane: { install: { version } } });
    for (const version of ["1.27.0", "1.31.0", "2.0.0"]) parse(install(version));
    parse({ ...install("1.26.10"), ca: { revocationLists: false } });
  });

  it("accepts every alternative", () => {
    const keys = [{ file: keyFile() }, { secret: "sshKey" }, { agent: true }];
    for (const key of keys) {
      const [host] = parse({ ssh: { key }, hosts: [vm1] }, "secret" in key ? ["sshKey"] : []).hosts;
      assert.deepEqual(host?.ssh.key, { ...key, place: "ssh.key" });
    }
    for (const serviceCidr of ["auto", "*", "10.32.0.0/24", "fd00::/108", "10.96.0.0/16,172.20.0.0/16,fd00::/108"]) {
      assert.equal(parse({ serviceCidr }).serviceCidr, serviceCidr);
    }
    assert.equal(parse({ serviceCidr: "10.96.0.0/16, fd00::/108" }).serviceCidr, "10.96.0.0/16,fd00::/108");
    const url = { secret: "packageUrl" };
    const sidecar = { url, sha256: SHA };
    const secretUrl = parse({ sidecar }, ["packageUrl"], { packageUrl: "https://u:p@example.org/a?token=x\n" });
    const amd64 = { format: "deb", architecture: "amd64", source: url, sha256: SHA, place: "sidecar" };
    assert.deepEqual(secretUrl.sidecar, [amd64]);
    const rpm = { ...minimal.sidecar, url: "https://example.org/a.rpm" };
    const { hosts } = parse({ hosts: [{ ...vm1, sidecar: { rpm: { arm64: rpm } } }, vm2] });
    assert.deepEqual(
      hosts.flatMap(({ sidecar }) => sidecar.map(({ format, architecture, place }) => [format, architecture, place])),
      [
        ["rpm", "arm64", "hosts[0].sidecar.rpm.arm64"],
        ["deb", "amd64", "sidecar"],
      ],
    );
    const gateway = { service: "istio-ingressgateway", namespace: "istio-system" };
    for (const [exposure, more] of [
      [{ type: "LoadBalancer" }, { gateway }],
      [{ type: "EastWestGateway" }, { namespace: "istio-vm" }],
      [{ type: "EastWestGateway", nodeAddresses: ["10.0.0.1"] }, { namespace: "istio-vm" }],
      [{ type: "Address", address: "istiod.example.com" }, { port: 15012 }],
      [{ type: "Address", address: "10.0.0.1", port: 443 }, {}],
    ] as const) {
      assert.deepEqual(parse({ exposure }).exposure, { ...exposure, ...more });
    }
    for (const existing of [{}, null]) {
      assert.deepEqual(parse({ controlPlane: { existing } }).controlPlane, { existing: { revision: "default" } });
    }
    assert.equal(parse({ hosts: [{ ...vm1, inboundPorts: "*" }] }).hosts[0]?.inboundPorts, "*");
    for (const healDrift of [true, false]) assert.equal(parse({ healDrift: String(healDrift) }).healDrift, healDrift);
    const services = [{ ...mysql, hosts: ["vm1", "vm2"] }];
    assert.equal(parse({ hosts: [{ ...vm1, gone: true }, vm2], services }).hosts[0]?.gone, true);
    assert.equal(parse({ cluster: { name: "east" } }).cluster.name, "east");
  });

  it("takes an IPv6 address as sidecars and istiod write it", () => {
    const { hosts, exposure } = parse({
      hosts: [{ ...vm1, address: "FD00:0::A1" }],
      exposure: { type: "NodePort", nodeAddresses: ["FD00::0:10", "10.0.0.10"] },
    });
    assert.equal(hosts[0]!.address, "fd00::a1");
    assert.deepEqual("nodeAddresses" in exposure && exposure.nodeAddresses, ["fd00::10", "10.0.0.10"]);
  });

  it("gives a host what it does not say itself of how to log in, and a bastion, another machine, nothing", () => {
    const bastion = { host: "jump", hostKey: HOST_KEY };
    const known = keyFile();
    const ssh = { user: "admin", port: 2222, key: { secret: "sshKey" }, knownHosts: known, bastion };
    const own = { host: "vm2.example.org", user: "ops", verifyHostKey: false, key: { file: known } };
    const through = { bastion: { host: "other", port: 23 } };
    const hosts = [vm1, { ...vm2, ssh: own }, { ...vm1, name: "vm3", address: "10.0.0.3", ssh: through }];
    const [first, second, third] = parse({ ssh, hosts }, ["sshKey"]).hosts.map((host) => host.ssh);
    const key = { secret: "sshKey", place: "ssh.key" };
    const knownHosts = join(homedir(), ".ssh/known_hosts");
    const jump = {
      ...{ host: "jump", port: 22, user: "root", hostKey: HOST_KEY, knownHosts, verifyHostKey: true },
      key: { agent: true, place: "ssh.bastion.key" },
    };
    assert.deepEqual(first, {
      ...{ host: "10.0.0.1", port: 2222, user: "admin", hostKey: undefined, knownHosts: known, verifyHostKey: true },
      key,
      bastion: jump,
    });
    assert.deepEqual(second, {
      ...{ host: "vm2.example.org", port: 2222, user: "ops", knownHosts: known, verifyHostKey: false },
      hostKey: undefined,
      key: { file: known, place: "hosts[1].ssh.key" },
      bastion: jump,
    });
    assert.deepEqual(third?.bastion, {
      ...{ host: "other", port: 23, user: "root", hostKey: undefined, knownHosts, verifyHostKey: true },
      key: { agent: true, place: "hosts[2].ssh.bastion.key" },
    });
  });

  const host = (fields: object) => ({ hosts: [{ ...vm1, ...fields }] });
  const service = (fields: object) => ({ hosts: [vm1], services: [{ ...mysql, ...fields }] });
  const PORT = "expected a port, 1 to 65535";
  const LABEL = "expected a DNS label: lower-case letters, digits and hyphens, 63 at most";
  const LINE = "expected a text of one line";
  const RANGES = 'auto, a CIDR such as 10.96.0.0/16 (several with commas between), or "*"';
  const SERVER = "a name or an IP address; user and port have fields of their own";
  const LABEL_NAME =
    "a label's name as Kubernetes takes it: 63 letters, digits, `-`, `_` and `.` at most, `prefix/` before it";
  const LABEL_VALUE =
    "a label's value: 63 letters, digits, `-`, `_` and `.` at most, of which the first and the last are no sign";
  const refusals: [string, Record<string, unknown>, string[]][] = [
    // A single field.
    ["a missing key", { controlPlane: undefined }, [`controlPlane: missing; expected ${CONTROL_PLANE}`]],
    [
      "a version that is none",
      { controlPlane: { install: { version: "latest" } } },
      ['controlPlane.install.version: "latest" is not allowed; expected a version such as 1.31.0'],
    ],
    [
      "a missing sidecar",
      { sidecar: undefined },
      [
        "sidecar: missing; expected {url: URL, sha256: HEX} or {file: PATH, sha256: HEX}; or of several {deb: {amd64: ..., arm64: ...}, rpm: ...}",
      ],
    ],
    [
      "a range that is none",
      { serviceCidr: "10.0.0.0" },
      [
        'serviceCidr: "10.0.0.0" is not allowed; expected auto, a CIDR such as 10.96.0.0/16 (several with commas between), or "*": 10.0.0.0 is no range such as 10.96.0.0/16',
      ],
    ],
    [
      "a name of a cluster",
      { cluster: { name: "My_Cluster" } },
      ['cluster.name: "My_Cluster" is not allowed; expected a DNS name in lower case'],
    ],
    [
      "an algorithm",
      { ca: { keyAlgorithm: "RSA-1024" } },
      ['ca.keyAlgorithm: "RSA-1024" is not allowed; expected one of ECDSA-P256, ECDSA-P384, RSA-4096'],
    ],
    [
      "no hours",
      { workloadCertificate: { validityHours: 0 } },
      ["workloadCertificate.validityHours: 0 is not allowed; expected a whole number of hours, 1 or more"],
    ],
    ["a host's name", host({ name: "VM 1" }), [`hosts[0].name: "VM 1" is not allowed; ${LABEL}`]],
    ["a long name", host({ name: "a".repeat(64) }), [`hosts[0].name: "${"a".repeat(56)}... is not allowed; ${LABEL}`]],
    [
      "an address",
      host({ address: "10.0.0.256" }),
      ['hosts[0].address: "10.0.0.256" is not allowed; expected an IP address'],
    ],
    [
      "a missing field",
      host({ namespace: undefined }),
      ["hosts[0].namespace: missing; expected a DNS label: lower-case letters, digits and hyphens, 63 at most"],
    ],
    ["an empty text", host({ ssh: { user: "" } }), [`hosts[0].ssh.user: "" is not allowed; ${LINE}`]],
    ["port 0", host({ ssh: { port: 0 } }), [`hosts[0].ssh.port: 0 is not allowed; ${PORT}`]],
    ["port 65536", service({ ports: [{ port: 65536 }] }), [`services[0].ports[0].port: 65536 is not allowed; ${PORT}`]],
    ["half a port", host({ inboundPorts: [80.5] }), [`hosts[0].inboundPorts[0]: 80.5 is not allowed; ${PORT}`]],
    [
      "a protocol",
      service({ ports: [{ port: 3306, protocol: "UDP" }] }),
      [
        'services[0].ports[0].protocol: "UDP" is not allowed; expected one of HTTP, HTTP2, HTTPS, GRPC, TCP, TLS, MONGO',
      ],
    ],
    ["no hosts", service({ hosts: [] }), ["services[0].hosts: [] is not allowed; expected at least one host"]],
    ["no ports", service({ ports: [] }), ["services[0].ports: [] is not allowed; expected at least one port"]],
    [
      "an RSA host key",
      host({ ssh: { hostKey: "ssh-rsa AAAA" } }),
      [
        'hosts[0].ssh.hostKey: "ssh-rsa AAAA" is not allowed; expected a public host key, `ssh-ed25519 AAAA...` or `ecdsa-sha2-nistp256 AAAA...`',
      ],
    ],
    [
      "one host key and one name for all",
      { ssh: { host: "vm1", hostKey: "ssh-ed25519 AAAA" } },
      [
        'ssh.host: "vm1" is not allowed; expected it in hosts[].ssh: each machine has its own',
        'ssh.hostKey: "ssh-ed25519 AAAA" is not allowed; expected it in hosts[].ssh: each machine has its own',
      ],
    ],
    ["half a yes", { healDrift: "yes" }, ['healDrift: "yes" is not allowed; expected true or false']],
    ["a text for a list", { hosts: "vm1" }, ['hosts: "vm1" is not allowed; expected a list of hosts']],
    ["a text for a map", { cluster: "east" }, ['cluster: "east" is not allowed; expected a map']],
    ["a text for a host", { hosts: ["vm1"] }, ['hosts[0]: "vm1" is not allowed; expected a map']],
    ["broken JSON", { hosts: "[{" }, ['hosts: "[{" is not allowed; expected a list of hosts']],
    [
      "an environment of two lines",
      host({ environment: { A: "b\nc" } }),
      ['hosts[0].environment.A: "b\\nc" is not allowed; expected a text of one line'],
    ],
    [
      "two protocols at one port of a host, by two services",
      {
        hosts: [vm1],
        services: [
          mysql,
          { ...mysql, name: "other", ports: [{ port: 8080 }, { port: 81, targetPort: 3306, protocol: "MONGO" }] },
        ],
      },
      ["services[1].ports[1].protocol: MONGO, but services[0].ports[0] has TCP at the same port of vm1, 3306"],
    ],
    [
      "two ports of a name",
      service({
        ports: [
          { port: 3306, protocol: "TCP", name: "db" },
          { port: 3307, targetPort: 3306, protocol: "TCP", name: "db" },
        ],
      }),
      ['services[0].ports[1].name: "db" is already the name of ports[0]'],
    ],
    [
      "Istio's own way to know names, beside ours",
      host({ dns: true, environment: { ISTIO_META_DNS_CAPTURE: "true" } }),
      ["hosts[0].environment.ISTIO_META_DNS_CAPTURE: not beside dns: true, which sees to it"],
    ],
    ...(["none", "inbound"] as const).flatMap((capture): [string, Record<string, unknown>, string[]][] => [
      [
        `names of the mesh beside capture: ${capture}`,
        host({ capture, dns: true }),
        [
          `hosts[0].dns: true is not allowed beside capture: ${capture}; names of the mesh lead to addresses that only captured outgoing traffic reaches`,
        ],
      ],
      [
        `variables that capture more, or nothing, beside capture: ${capture}`,
        host({
          capture,
          environment: { ISTIO_CUSTOM_IP_TABLES: "true", ISTIO_OUTBOUND_PORTS: "80", REDIRECT_DNS: "true" },
        }),
        ["ISTIO_CUSTOM_IP_TABLES", "ISTIO_OUTBOUND_PORTS", "REDIRECT_DNS"].map(
          (name) => `hosts[0].environment.${name}: not beside capture: ${capture}, which sees to it`,
        ),
      ],
    ]),
    [
      "a service of which a host takes one port and not another",
      {
        hosts: [{ ...vm1, capture: "inbound" }],
        services: [{ ...mysql, ports: [{ port: 80, targetPort: 8080 }, { port: 8081 }] }],
      },
      [
        "services[0].hosts[0]: \"vm1\" is not allowed; its sidecar takes 8080 of the service's ports and not 8081, which is not among the host's inboundPorts: make two services of it, one with mutual TLS and one without",
      ],
    ],
    [
      "a gateway that leads nowhere, is more than that, or is told twice",
      host({ gateway: true, dns: true, environment: { ISTIO_AGENT_FLAGS: "x" } }),
      [
        "hosts[0].gateway: it needs a network to lead into",
        "hosts[0].dns: not beside gateway: true, which is no workload",
        "hosts[0].environment.ISTIO_AGENT_FLAGS: not beside gateway: true, which sees to it",
      ],
    ],
    [
      "a gateway that serves",
      { hosts: [{ ...vm1, gateway: true, network: "b" }], services: [mysql] },
      ['services[0].hosts[0]: "vm1" is not allowed; it is a gateway, which serves nothing itself'],
    ],
    [
      "a probe, beside what it sets itself",
      host({ readinessProbe: { tcpSocket: { port: 80 } }, environment: { PROXY_CONFIG: "x" } }),
      ["hosts[0].environment.PROXY_CONFIG: not beside readinessProbe, which sees to it"],
    ],
    [
      "a probe of two kinds, or of none",
      host({ readinessProbe: { tcpSocket: { port: 80 }, exec: { command: ["true"] } } }),
      [
        'hosts[0].readinessProbe: {"tcpSocket":{"port":80},"exec":{"command":["true"]}} is not allowed; expected one of httpGet, tcpSocket and exec',
      ],
    ],
    [
      "weight and locality",
      host({ weight: 0, locality: "a/b/c/d" }),
      [
        "hosts[0].weight: 0 is not allowed; expected a whole number, 1 to 10000",
        'hosts[0].locality: "a/b/c/d" is not allowed; expected a locality: REGION, REGION/ZONE or REGION/ZONE/SUBZONE',
      ],
    ],
    [
      "an environment's name",
      host({ environment: { "A-B": "c" } }),
      ["hosts[0].environment.A-B: the name is not allowed; expected the name of an environment variable"],
    ],

    // Fields and keys that there are not.
    [
      "an unknown key",
      { host: [] },
      [
        "host: unknown key; there are cluster, controlPlane, exposure, identity, serviceCidr, ca, " +
          "workloadCertificate, ssh, hosts, healDrift, denyEnded, services, sidecar, sampleClient, and the secrets that they name",
      ],
    ],
    ["an unknown field", host({ adress: "10.0.0.1" }), ["hosts[0].adress: unknown field"]],
    ["an unknown field far down", { ssh: { bastion: { host: "b", prot: 1 } } }, ["ssh.bastion.prot: unknown field"]],
    ["a bastion without host", { ssh: { bastion: {} } }, [`ssh.bastion.host: missing; ${LINE}`]],

    // The alternative that was meant.
    [
      "a port among others",
      host({ inboundPorts: [0, 65536] }),
      [
        `hosts[0].inboundPorts[0]: 0 is not allowed; ${PORT}`,
        `hosts[0].inboundPorts[1]: 65536 is not allowed; ${PORT}`,
      ],
    ],
    [
      "ports that are no list",
      host({ inboundPorts: "all" }),
      ['hosts[0].inboundPorts: "all" is not allowed; expected a list of ports, or "*"'],
    ],
    ["the agent as false", { ssh: { key: { agent: false } } }, ["ssh.key.agent: false is not allowed; expected true"]],
    [
      "a secret's name",
      { ssh: { key: { secret: "a b" } } },
      ['ssh.key.secret: "a b" is not allowed; expected the name of a secret configuration key'],
    ],
    [
      "a key that is a path",
      { ssh: { key: "~/.ssh/id" } },
      ['ssh.key: "~/.ssh/id" is not allowed; expected one of {file: PATH}, {secret: NAME}, {agent: true}'],
    ],
    [
      "a sidecar's URL",
      { sidecar: { url: "ftp://x", sha256: "AA" } },
      [
        'sidecar.url: "ftp://x" is not allowed; expected an http or https URL without user, password or query; {secret: NAME} for one that has any',
        'sidecar.sha256: "AA" is not allowed; expected a SHA-256 in hex',
      ],
    ],
    [
      "packages of several formats",
      { sidecar: { deb: { amd64: { url: "ftp://x", sha256: SHA } }, rpm: { arm64: { file: "a.rpm" }, riscv64: {} } } },
      [
        'sidecar.deb.amd64.url: "ftp://x" is not allowed; expected an http or https URL without user, password or query; {secret: NAME} for one that has any',
        "sidecar.rpm.arm64.sha256: missing; expected a SHA-256 in hex",
        "sidecar.rpm.riscv64: unknown field",
      ],
    ],
    [
      "no packages",
      { sidecar: {} },
      [
        "sidecar.url: missing; expected an http or https URL without user, password or query; {secret: NAME} for one that has any",
        "sidecar.sha256: missing; expected a SHA-256 in hex",
      ],
    ],
    [
      "no package of a format",
      { sidecar: { rpm: {} } },
      ["sidecar.rpm: {} is not allowed; expected a package for amd64, arm64 or both"],
    ],
    [
      "secrets and files of several packages that are not there",
      {
        sidecar: {
          deb: { arm64: { url: { secret: "u" }, sha256: SHA } },
          rpm: { amd64: { file: "/none/a.rpm", sha256: SHA } },
        },
      },
      [
        'sidecar.deb.arm64.url.secret: there is no secret "u"; pulumi config set --secret u < FILE',
        'sidecar.rpm.amd64.file: "/none/a.rpm" is not there',
      ],
    ],
    ["a sidecar's digest", { sidecar: { file: "x.deb" } }, ["sidecar.sha256: missing; expected a SHA-256 in hex"]],
    [
      "a CA of one's own with a key in plain sight",
      { ca: { provided: { ...provided, caKey: KEY } } },
      ["ca.provided.caKey: a private key is not allowed; expected {secret: NAME}"],
    ],
    [
      "a CA of one's own that lacks a field",
      { ca: { provided: { ...provided, certChain: undefined } } },
      ["ca.provided.certChain: missing; expected a certificate in PEM"],
    ],
    [
      "a certificate that is a path",
      { ca: { provided: { ...provided, rootCert: "root.pem" } } },
      ['ca.provided.rootCert: "root.pem" is not allowed; expected a certificate in PEM'],
    ],
    [
      "a certificate that is cut off",
      { ca: { provided: { ...provided, caCert: CERTIFICATE.slice(0, 200) } } },
      [refusedPem("caCert", ", and this one is cut off: its first or its last line is missing")],
    ],
    [
      "a certificate without its first line",
      { ca: { provided: { ...provided, certChain: CERTIFICATE + CERTIFICATE.replace(/.*\n/, "") } } },
      [refusedPem("certChain", ", and this one is cut off: its first or its last line is missing")],
    ],
    [
      "a certificate that ends as something else",
      { ca: { provided: { ...provided, rootCert: CERTIFICATE.replace("END CERTIFICATE", "END X509 CRL") } } },
      [refusedPem("rootCert", ", and this one is cut off: its first or its last line is missing")],
    ],
    [
      "a certificate that is damaged",
      { ca: { provided: { ...provided, certChain: CERTIFICATE + CERTIFICATE.replace(/\n.{40}/, "\n") } } },
      [refusedPem("certChain", ", and number 2 of this text is damaged")],
    ],
    ...["CERTIFICATE REQUEST", "TRUSTED CERTIFICATE", "X509 CRL", "PUBLIC KEY"].map(
      (label): [string, Record<string, unknown>, string[]] => [
        `a ${label} among certificates`,
        { ca: { provided: { ...provided, rootCert: CERTIFICATE + CERTIFICATE.replaceAll("CERTIFICATE", label) } } },
        [refusedPem("rootCert", `, and nothing else: "${label}" is none`)],
      ],
    ),
    ["a typo in a new CA", { ca: { organisation: "x" } }, ["ca.organisation: unknown field"]],
    [
      "an exposure",
      { exposure: { type: "Ingress" } },
      [
        'exposure.type: "Ingress" is not allowed; expected {type: NodePort, nodeAddresses: [ADDRESS]}, {type: LoadBalancer}, {type: EastWestGateway} or {type: Address, address: NAME, port: PORT}',
      ],
    ],
    [
      "a NodePort without address",
      { exposure: { type: "NodePort" } },
      ["exposure.nodeAddresses: missing; expected a list of IP addresses"],
    ],
    [
      "an IstioOperator that is a list",
      { controlPlane: { install: { version: "1.31.0", operator: [] } } },
      ["controlPlane.install.operator: [] is not allowed; expected an IstioOperator, or the path of its YAML file"],
    ],

    [
      "a URL with what opens it",
      { sidecar: { url: "https://me:secret@example.org/a.deb?token=secret#secret", sha256: SHA } },
      [
        'sidecar.url: "https://..." is not allowed; expected an http or https URL without user, password or query; {secret: NAME} for one that has any',
      ],
    ],
    [
      "secret URLs that there are not",
      {
        sidecar: { url: { secret: "u" }, sha256: SHA },
        hosts: [vm1, { ...vm2, sidecar: { url: { secret: "v" }, sha256: SHA } }],
      },
      [
        'sidecar.url.secret: there is no secret "u"; pulumi config set --secret u < FILE',
        'hosts[1].sidecar.url.secret: there is no secret "v"; pulumi config set --secret v < FILE',
      ],
    ],
    [
      "a wrong package of a host's own",
      { hosts: [{ ...vm1, sidecar: { url: "https://example.org/a.deb" } }] },
      ["hosts[0].sidecar.sha256: missing; expected a SHA-256 in hex"],
    ],
    ...[
      "999.96.0.0/16",
      "fd00::/200",
      "::::/64",
      "10.96.0.0/16,",
      "*,10.96.0.0/16",
      "10.96.0.0/016",
      "fe80::%1/64",
    ].map((serviceCidr): [string, Record<string, unknown>, string[]] => {
      const wrong = serviceCidr.split(",").find((range) => range !== "10.96.0.0/16") || "nothing";
      const reason = `${RANGES}: ${wrong} is no range such as 10.96.0.0/16`;
      return [
        `the range ${serviceCidr}`,
        { serviceCidr },
        [`serviceCidr: "${serviceCidr}" is not allowed; expected ${reason}`],
      ];
    }),
    [
      "ranges in a form that nobody means",
      { serviceCidr: "10.96.1.0/16,::ffff:10.96.0.0/112,fd00::1/64" },
      [
        `serviceCidr: "10.96.1.0/16,::ffff:10.96.0.0/112,fd00::1/64" is not allowed; expected ${RANGES}: 10.96.1.0/16 has bits behind its prefix of 16; ::ffff:10.96.0.0/112 is IPv4 in the form of IPv6; fd00::1/64 has bits behind its prefix of 64`,
      ],
    ],
    ...(
      [
        ["127.0.0.1", "is a loopback address: every machine has it"],
        ["::1", "is a loopback address: every machine has it"],
        ["0.0.0.0", "is unspecified"],
        ["::", "is unspecified"],
        ["169.254.1.1", "is link-local: it is known on one link only"],
        ["fe80::1", "is link-local: it is known on one link only"],
        ["224.0.0.1", "is a multicast address"],
        ["ff02::1", "is a multicast address"],
        ["255.255.255.255", "is reserved"],
        ["::ffff:10.0.0.1", "is IPv4 in the form of IPv6"],
        ["fd00::1%eth0", "has a zone, which is known on one machine only"],
      ] as const
    ).map(([address, why]): [string, Record<string, unknown>, string[]] => [
      `the address ${address}`,
      { ...host({ address, ssh: { host: "vm1" } }), exposure: { type: "NodePort", nodeAddresses: [address] } },
      ["exposure.nodeAddresses[0]", "hosts[0].address"].map(
        (path) =>
          `${path}: "${address}" is not allowed; expected the address of a machine, which this is not: it ${why}`,
      ),
    ]),
    ...["kube-system", "istio-system"].map((namespace): [string, Record<string, unknown>, string[]] => [
      `hosts and services in ${namespace}`,
      { hosts: [{ ...vm1, namespace }], services: [{ ...mysql, namespace }], sampleClient: { namespace } },
      ["hosts[0].namespace", "services[0].namespace", "sampleClient.namespace"].map(
        (path) =>
          `${path}: "${namespace}" is not allowed; expected a namespace of your own: neither Kubernetes's nor Istio's`,
      ),
    ]),
    [
      "a service's name that Kubernetes would not take",
      service({ name: "1st" }),
      [
        'services[0].name: "1st" is not allowed; expected a name that begins with a letter, as Kubernetes wants it of a Service',
      ],
    ],
    [
      "labels that Kubernetes would not take",
      host({
        labels: {
          ok: "",
          "example.org/ok": "a.B_c-1",
          a: "b\nc",
          b: "a b",
          c: "x".repeat(64),
          d: "-x",
          "": "x",
          "a b": "x",
          "a/b/c": "x",
          "Example.org/a": "x",
          "a\nb": "x",
          ["y".repeat(64)]: "x",
          "security.istio.io/tlsMode": "disabled",
        },
      }),
      [
        ...[
          ["a", '"b\\nc"'],
          ["b", '"a b"'],
          ["c", `"${"x".repeat(56)}...`],
          ["d", '"-x"'],
        ].map(([name, value]) => `hosts[0].labels.${name}: ${value} is not allowed; expected ${LABEL_VALUE}`),
        ...['[""]', '["a b"]', ".a/b/c", ".Example.org/a", '["a\\nb"]', `.${"y".repeat(64)}`].map(
          (name) => `hosts[0].labels${name}: the name is not allowed; expected ${LABEL_NAME}`,
        ),
        "hosts[0].labels.security.istio.io/tlsMode: the name is not allowed; expected a label that this program does not set itself",
      ],
    ],
    [
      "a server that is more than a name",
      { ...host({ ssh: { host: "admin@vm1" } }), ssh: { bastion: { host: "jump:2222" } } },
      [
        `ssh.bastion.host: "jump:2222" is not allowed; expected ${SERVER}`,
        `hosts[0].ssh.host: "admin@vm1" is not allowed; expected ${SERVER}`,
      ],
    ],
    [
      "a host key that is none",
      host({ ssh: { hostKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA" } }),
      [
        'hosts[0].ssh.hostKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA" is not allowed; expected a public host key, `ssh-ed25519 AAAA...` or `ecdsa-sha2-nistp256 AAAA...`',
      ],
    ],
    [
      "a host key of another kind than it says",
      host({ ssh: { hostKey: HOST_KEY.replace("ssh-ed25519", "ecdsa-sha2-nistp256") } }),
      [
        `hosts[0].ssh.hostKey: "${HOST_KEY.replace("ssh-ed25519", "ecdsa-sha2-nistp256").slice(0, 56)}... is not allowed; expected a public host key, \`ssh-ed25519 AAAA...\` or \`ecdsa-sha2-nistp256 AAAA...\``,
      ],
    ],

    // What spans fields.
    [
      "two spellings of one address",
      {
        hosts: [
          { ...vm1, address: "fd00::1" },
          { ...vm2, address: "FD00:0:0::1" },
        ],
      },
      ['hosts[1].address: "fd00::1" is already the address of hosts[0]'],
    ],
    [
      "one machine under two names",
      {
        hosts: [
          { ...vm1, ssh: { host: "Box.example.org" } },
          { ...vm2, ssh: { host: "box.example.org." } },
        ],
      },
      [
        'hosts[1].ssh.host: "box.example.org.", port 22, is already where one logs in to hosts[0]: a machine is one host',
      ],
    ],
    [
      "machines among the cluster's services",
      {
        ...host({ address: "10.96.0.1" }),
        serviceCidr: "fd00::/108,10.96.0.0/16",
        exposure: { type: "NodePort", nodeAddresses: ["10.96.7.7"] },
      },
      [
        'hosts[0].address: "10.96.0.1" is not allowed; it lies in serviceCidr, 10.96.0.0/16',
        'exposure.nodeAddresses[0]: "10.96.7.7" is not allowed; it lies in serviceCidr, 10.96.0.0/16',
      ],
    ],
    [
      "SSH's own port beside the one that is used",
      host({ inboundPorts: [22, 80], ssh: { port: 2222 } }),
      ["hosts[0].inboundPorts[0]: 22 is not allowed; it is SSH's own port, which is never intercepted"],
    ],
    [
      "a service on a port that no sidecar takes",
      {
        hosts: [{ ...vm1, inboundPorts: "*" }],
        services: [{ ...mysql, ports: [{ port: 80, targetPort: 22 }, { port: 81, targetPort: 15001 }, { port: 82 }] }],
      },
      [22, 15001].map(
        (port) =>
          `services[0].hosts[0]: "vm1" is not allowed; the service needs port ${port}, which is never intercepted`,
      ),
    ],
    [
      "a host that serves a service twice",
      service({ hosts: ["vm1", "vm1"] }),
      ['services[0].hosts[1]: "vm1" is already hosts[0]'],
    ],
    [
      "certificates that outlive their issuer, or are renewed without end",
      {
        ca: { rootValidityHours: 100, intermediateValidityHours: 101 },
        workloadCertificate: { validityHours: 102, earlyRenewalHours: 102 },
      },
      [
        "workloadCertificate.earlyRenewalHours: 102 is not allowed; expected less than workloadCertificate.validityHours, 102",
        "ca.intermediateValidityHours: 101 is not allowed; expected no more than ca.rootValidityHours, 100, which issues it",
        "workloadCertificate.validityHours: 102 is not allowed; expected no more than ca.intermediateValidityHours, 101, which issues it",
      ],
    ],
    [
      "a revision of the IstioOperator",
      install({ spec: { revision: "canary" } }),
      [
        'controlPlane.install.operator.spec.revision: "canary" is not allowed; expected no revision: hosts find istiod under istiod.istio-system.svc, which is that of the revision default',
      ],
    ],
    [
      "files that are not there",
      {
        cluster: { kubeconfig: "/none/kube" },
        ssh: { knownHosts: "/", key: { file: "/none/id" } },
        hosts: [{ ...vm1, ssh: { key: { file: "/" } } }],
        sidecar: { file: "/none/a.deb", sha256: SHA },
      },
      [
        'cluster.kubeconfig: "/none/kube" is not there',
        'ssh.knownHosts: "/" is a folder',
        'ssh.key.file: "/none/id" is not there',
        'hosts[0].ssh.key.file: "/" is a folder',
        'sidecar.file: "/none/a.deb" is not there',
      ],
    ],
    [
      "two hosts of one name",
      { hosts: [vm1, { ...vm2, name: "vm1" }] },
      ['hosts[1].name: "vm1" is already the name of hosts[0]'],
    ],
    [
      "two hosts of one address",
      { hosts: [vm1, { ...vm2, address: "10.0.0.1" }] },
      ['hosts[1].address: "10.0.0.1" is already the address of hosts[0]'],
    ],
    [
      "two services of one name",
      { hosts: [vm1], services: [mysql, { ...mysql, namespace: "other" }, mysql] },
      ['services[2].name: "vm/mysql" is already the name of services[0]'],
    ],
    [
      "revocation lists that Istio does not take yet",
      { ca: { revocationLists: true }, controlPlane: { install: { version: "1.26.10" } } },
      ["ca.revocationLists: Istio 1.26.10 knows none; they are for 1.27 and later"],
    ],
    ["a port twice", host({ inboundPorts: [80, 80] }), ["hosts[0].inboundPorts[1]: 80 is already inboundPorts[0]"]],
    [
      "a service's port twice",
      service({ ports: [{ port: 3306 }, { port: 3306, targetPort: 8080 }] }),
      ["services[0].ports[1].port: 3306 is already the port of ports[0]"],
    ],
    [
      "SSH's port",
      host({ inboundPorts: [80, 22] }),
      ["hosts[0].inboundPorts[1]: 22 is not allowed; it is the host's SSH port, which is never intercepted"],
    ],
    [
      "another SSH port, of the host",
      host({ inboundPorts: [2222], ssh: { port: 2222 } }),
      ["hosts[0].inboundPorts[0]: 2222 is not allowed; it is the host's SSH port, which is never intercepted"],
    ],
    [
      "another SSH port, of all hosts",
      { ...host({ inboundPorts: [2222] }), ssh: { port: 2222 } },
      ["hosts[0].inboundPorts[0]: 2222 is not allowed; it is the host's SSH port, which is never intercepted"],
    ],
    [
      "the sidecar's ports",
      host({ inboundPorts: [14999, 15000, 15099, 15100] }),
      [15000, 15099].map(
        (port, n) =>
          `hosts[0].inboundPorts[${n + 1}]: ${port} is not allowed; ports 15000 to 15099 belong to the sidecar itself`,
      ),
    ],
    [
      "an unknown host",
      { hosts: [vm1, vm2], services: [{ ...mysql, hosts: ["vm1", "vm3"] }] },
      ['services[0].hosts[1]: "vm3" is not allowed; expected one of vm1, vm2'],
    ],
    [
      "a service without any host",
      { services: [mysql] },
      ['services[0].hosts[0]: "vm1" is not allowed; expected one of the hosts, but there are none'],
    ],
    [
      "a service whose hosts are all gone",
      { hosts: [{ ...vm1, gone: true }], services: [mysql] },
      ["services[0].hosts: every one of them is gone; name another host, or remove the service"],
    ],
    [
      "a port that the host does not serve",
      service({ ports: [{ port: 80, targetPort: 8080 }, { port: 8081 }] }),
      [
        'services[0].hosts[0]: "vm1" is not allowed; the service needs port 8081, which is not among the host\'s inboundPorts',
      ],
    ],
  ];
  for (const [what, changes, problems] of refusals) {
    it(`refuses ${what}`, () => assert.deepEqual(refusal(changes).problems, problems));
  }

  it("takes services that a host does not capture, all ports of which it lets pass", () => {
    const services = [{ ...mysql, ports: [{ port: 80 }, { port: 8081 }] }];
    for (const changes of [
      { capture: "none", inboundPorts: [80] },
      { capture: "inbound", inboundPorts: [9090] },
    ]) {
      assert.equal(parse({ hosts: [{ ...vm1, ...changes }], services }).services.length, 1);
    }
    assert.deepEqual(parse(host({ capture: "none", inboundPorts: "*" })).hosts[0]?.inboundPorts, []);
  });

  it("refuses each variable that the program sets itself", () => {
    const environment = Object.fromEntries(RESERVED_VARIABLES.map((name) => [name, "x"]));
    assert.deepEqual(
      refusal(host({ environment })).problems,
      RESERVED_VARIABLES.map(
        (name) =>
          `hosts[0].environment.${name}: the name is not allowed; expected a variable that this program does not set itself`,
      ),
    );
  });

  it("tells all problems at once", () => {
    const error = refusal({
      controlPlane: undefined,
      hosts: [
        { ...vm1, name: "A" },
        { ...vm2, address: "b" },
      ],
      x: "y",
    });
    assert.equal(error.problems.length, 4);
    assert.equal(error.message, `IVM201 the stack's configuration has 4 problems:\n  ${error.problems.join("\n  ")}`);
    assert.match(refusal({ serviceCidr: "x" }).message, /^IVM201 the stack's configuration has 1 problem:\n/);
    const references = refusal({ hosts: [vm1, vm1], services: [{ ...mysql, hosts: ["x"] }], ...install("/none") });
    assert.equal(references.problems.length, 4);
    // A mistake in one field does not hide what another refers to.
    assert.deepEqual(
      refusal({
        controlPlane: { install: { version: "x" } },
        ssh: { key: { secret: "k" } },
        hosts: [vm1, { ...vm2, name: "vm1" }],
        services: "x",
      }).problems.map((problem) => problem.split(":")[0]),
      ["controlPlane.install.version", "services", "hosts[1].name", "ssh.key.secret"],
    );
  });

  describe("secrets", () => {
    const missing = (place: string, name: string) =>
      `${place}: there is no secret "${name}"; pulumi config set --secret ${name} < FILE`;

    it("must be there when a field names them", () => {
      const ssh = (name: string) => ({ key: { secret: name }, bastion: { host: "b", key: { secret: `${name}B` } } });
      assert.deepEqual(refusal({ ssh: ssh("k"), hosts: [{ ...vm1, ssh: ssh("h") }], ca: { provided } }).problems, [
        missing("ssh.key.secret", "k"),
        missing("ssh.bastion.key.secret", "kB"),
        missing("hosts[0].ssh.key.secret", "h"),
        missing("hosts[0].ssh.bastion.key.secret", "hB"),
        missing("ca.provided.caKey.secret", "caKey"),
      ]);
    });

    it("must be named by a field when they are there", () => {
      assert.deepEqual(refusal({}, ["sshkey"]).problems, ['sshkey: unknown key; no field names a secret "sshkey"']);
    });

    it("must be what they are for, which is said without them", () => {
      const texts = { sshKey: "ssh-ed25519 AAAAMARK me", packageUrl: "me:MARK@example.org", caKey: "MARK" };
      const changes = { ssh: { key: { secret: "sshKey" } }, sidecar: { url: { secret: "packageUrl" }, sha256: SHA } };
      const { problems } = refusal(changes, ["sshKey", "packageUrl"], texts);
      assert.deepEqual(problems, [
        'ssh.key.secret: the secret "sshKey" is a public key: the private one is in the file without .pub',
        'sidecar.url.secret: the secret "packageUrl" is no http or https URL of one line',
      ]);
      assert.deepEqual(refusal({ ca: { provided } }, ["caKey"], texts).problems, [
        'ca.provided.caKey.secret: the secret "caKey" is not a private key',
      ]);
    });

    it("must be secret: a plain value under that name does not count", () => {
      const { problems } = refusal({ ssh: { key: { secret: "sshKey" } }, sshKey: KEY });
      assert.match(problems.join("\n"), /^sshKey: unknown key; there are cluster, .*$/);
    });

    it("are no structures", () => {
      assert.deepEqual(refusal({ hosts: [vm1] }, ["hosts"]).problems, [
        "hosts: is a secret; put only the secret part in a key of its own",
      ]);
    });

    it("are never echoed, wherever a private key was pasted", () => {
      const places: ((key: string) => Record<string, unknown>)[] = [
        (key) => ({ controlPlane: { install: { version: key } } }),
        (key) => install(key),
        (key) => ({ privateKey: key }),
        (key) => ({ ssh: key }),
        (key) => ({ ssh: { user: key } }),
        (key) => ({ ssh: { host: key } }),
        (key) => ({ ssh: { hostKey: key } }),
        (key) => host({ ssh: { host: key } }),
        (key) => host({ ssh: { hostKey: key } }),
        (key) => ({ ssh: { key } }),
        (key) => ({ ssh: { key: { file: key } } }),
        (key) => ({ ssh: { key: { secret: key } } }),
        (key) => ({ ssh: { key: [key] } }),
        (key) => ({ ca: { provided: { ...provided, caCert: key } } }),
        (key) => ({ ca: { provided: { ...provided, certChain: CERTIFICATE + key } } }),
        (key) => ({ ca: { provided: { ...provided, caKey: { secret: key } } } }),
        (key) => ({ hosts: [key] }),
        (key) => ({ services: [{ ...mysql, hosts: [key] }] }),
        (key) => ({ sidecar: { file: key, sha256: key } }),
      ];
      for (const place of places) {
        for (const key of [KEY, KEY.replaceAll("\n", "\\n")]) {
          const { message } = refusal(place(key), ["caKey"]);
          assert.ok(!message.includes(TRACE) && !message.includes("BEGIN"), JSON.stringify(place("KEY")));
        }
      }
    });
  });

  describe("controlPlane.install.operator", () => {
    const file = (text: string, check: (path: string) => void) =>
      withDirectory((directory) => {
        const path = join(directory, "operator.yaml");
        writeFileSync(path, text);
        check(path);
      });

    it("may be a file or a map", async () => {
      const operator = { spec: { profile: "minimal" } };
      const read = (given: unknown) => installationOf(parse(install(given)))?.operator;
      assert.deepEqual(read(operator), operator);
      await file("spec:\n  profile: minimal\n", (path) => assert.deepEqual(read(path), operator));
    });

    it("is refused where the file is missing", () => {
      assert.deepEqual(refusal(install("/none/o.yaml")).problems, [
        "controlPlane.install.operator: \"/none/o.yaml\" can't be read: ENOENT: no such file or directory, open '/none/o.yaml'",
      ]);
    });

    it("is refused by a Node.js that can't read numbers as they were written", () => {
      const json = JSON as { rawJSON?: unknown };
      const { rawJSON } = json;
      delete json.rawJSON;
      try {
        assert.deepEqual(refusal(install({ spec: {} })).problems, [
          `controlPlane.install.operator: {"spec":{}} can't be read: Node.js ${process.version} is too old, see "engines" in package.json`,
        ]);
      } finally {
        json.rawJSON = rawJSON;
      }
    });

    for (const [what, text, reason] of [
      ["a list", "- a\n", "it is no map"],
      ["empty", "", "expected a document, but the input is empty"],
      ["no YAML", "a: [\nb: c\n", "deficient indentation (2:1)"],
      [
        "several documents",
        "a: 1\n---\nb: 2\n",
        "it has 2 documents (?, ?), but istioctl takes one IstioOperator: put all of it into one",
      ],
    ] as const) {
      it(`is refused where the file is ${what}`, () =>
        file(text, (path) => {
          const [problem, ...others] = refusal(install(path)).problems;
          assert.ok(problem?.startsWith(`controlPlane.install.operator: "${path}" can't be read: ${reason}`), problem);
          assert.deepEqual(others, []);
        }));
    }
  });
});

describe("loadConfig", () => {
  const saved = process.env.PULUMI_CONFIG_SECRET_KEYS;
  afterEach(() => {
    pulumi.runtime.setAllConfig({});
    if (saved === undefined) delete process.env.PULUMI_CONFIG_SECRET_KEYS;
    else process.env.PULUMI_CONFIG_SECRET_KEYS = saved;
  });

  it("reads the project's keys, and no other's", () => {
    const project = pulumi.getProject();
    const ssh = { key: { secret: "sshKey" } };
    const values = { ...minimal, ssh, sshKey: KEY, hosts: [vm1] };
    pulumi.runtime.setAllConfig({
      "kubernetes:context": "other",
      ...Object.fromEntries(
        Object.entries(values).map(([key, value]) => [
          `${project}:${key}`,
          typeof value === "string" ? value : JSON.stringify(value),
        ]),
      ),
    });
    process.env.PULUMI_CONFIG_SECRET_KEYS = JSON.stringify([`${project}:sshKey`]);
    assert.deepEqual(loadConfig().hosts[0]?.ssh.key, { ...ssh.key, place: "ssh.key" });
    process.env.PULUMI_CONFIG_SECRET_KEYS = JSON.stringify(["other:sshKey"]);
    assert.throws(loadConfig, ConfigError);
  });
});

describe("expandHome", () => {
  it("replaces only a leading ~ of one's own", () => {
    assert.equal(expandHome("~"), homedir());
    assert.equal(expandHome("~/a/~"), join(homedir(), "a/~"));
    for (const path of ["~other/a", "/a/~/b", "a~"]) assert.equal(expandHome(path), path);
  });
});
