import assert from "node:assert/strict";
import { homedir } from "node:os";
import { join } from "node:path";
import { writeFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { expandHome } from "../../../config/homePath";
import { loadConfig } from "../../../config/stackConfig";
import { type Config, ConfigError, parseConfig } from "../../../config";
import { RESERVED_VARIABLES } from "../../../mesh/environment";
import { privateKey, withDirectory } from "../support";

const SHA = "a".repeat(64);
const KEY = privateKey("MIIBVQIBADANBgkqhkiG");
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
  istioVersion: "1.31.0",
  exposure: { type: "NodePort", nodeAddress: "192.168.17.150" },
  sidecar: { url: "https://example.org/istio-sidecar.deb", sha256: SHA },
};
const vm1 = { name: "vm1", address: "10.0.0.1", namespace: "vm", inboundPorts: [3306, 8080] };
const vm2 = { ...vm1, name: "vm2", address: "10.0.0.2" };
const mysql = { name: "mysql", namespace: "vm", hosts: ["vm1"], ports: [{ port: 3306, protocol: "TCP" }] };
const provided = { rootCert: CERTIFICATE, caCert: CERTIFICATE, certChain: CERTIFICATE, caKey: { secret: "caKey" } };

/** The configuration as Pulumi hands it over: texts as they are, anything else as JSON. */
function parse(changes: Record<string, unknown> = {}, secrets: string[] = []): Config {
  const values = Object.entries({ ...minimal, ...changes })
    .filter(([, value]) => value !== undefined)
    .map(([key, value]): [string, string] => [key, typeof value === "string" ? value : JSON.stringify(value)]);
  return parseConfig({
    values: { ...Object.fromEntries(values), ...Object.fromEntries(secrets.map((name) => [name, KEY])) },
    isSecret: (key) => secrets.includes(key),
  });
}

function refusal(changes: Record<string, unknown>, secrets: string[] = []): ConfigError {
  try {
    parse(changes, secrets);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error;
  }
  throw new assert.AssertionError({ message: `accepted ${JSON.stringify(changes)}` });
}

describe("parseConfig", () => {
  it("fills in the defaults", () => {
    assert.deepEqual(parse(), {
      ...minimal,
      cluster: {
        name: "Kubernetes",
        trustDomain: "cluster.local",
        domain: "cluster.local",
        existingNamespaces: ["default"],
      },
      istioOperator: {},
      istioOperatorText: '{"kind":"IstioOperator"}',
      serviceCidr: "auto",
      ca: {
        organization: "Istio",
        commonName: "Root CA",
        keyAlgorithm: "ECDSA-P256",
        rootValidityHours: 87600,
        intermediateValidityHours: 43800,
      },
      workloadCertificate: { validityHours: 8760, earlyRenewalHours: 720 },
      hosts: [],
      healDrift: false,
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
    const filledIn = { ssh, serviceAccount: "default", environment: {}, labels: { app: "vm1" }, gone: false };
    assert.deepEqual(hosts, [{ ...vm1, ...filledIn }]);
    assert.deepEqual(services, [{ ...mysql, ports: [{ port: 3306, targetPort: 3306, protocol: "TCP" }] }]);
    assert.deepEqual(sampleClient, { namespace: "default", image: "curlimages/curl:8.17.0" });
    assert.equal(parse({ services: [] }).services.length, 0);
  });

  it("accepts every alternative", () => {
    const keys = [{ file: "~/.ssh/id" }, { secret: "sshKey" }, { agent: true }];
    for (const key of keys) {
      const [host] = parse({ ssh: { key }, hosts: [vm1] }, "secret" in key ? ["sshKey"] : []).hosts;
      const expected = "file" in key ? { file: join(homedir(), ".ssh/id") } : key;
      assert.deepEqual(host?.ssh.key, { ...expected, place: "ssh.key" });
    }
    for (const serviceCidr of ["auto", "*", "10.32.0.0/24", "fd00::/108"]) {
      assert.equal(parse({ serviceCidr }).serviceCidr, serviceCidr);
    }
    assert.deepEqual(parse({ ca: { provided } }, ["caKey"]).ca, { provided });
    assert.deepEqual(parse({ exposure: { type: "LoadBalancer" } }).exposure, { type: "LoadBalancer" });
    assert.equal(parse({ hosts: [{ ...vm1, inboundPorts: "*" }] }).hosts[0]?.inboundPorts, "*");
    for (const healDrift of [true, false]) assert.equal(parse({ healDrift: String(healDrift) }).healDrift, healDrift);
    const services = [{ ...mysql, hosts: ["vm1", "vm2"] }];
    assert.equal(parse({ hosts: [{ ...vm1, gone: true }, vm2], services }).hosts[0]?.gone, true);
    assert.equal(parse({ cluster: { name: "east" } }).cluster.name, "east");
  });

  it("gives a host what it does not say itself of how to log in, and a bastion, another machine, nothing", () => {
    const bastion = { host: "jump", hostKey: "ssh-ed25519 AAAA" };
    const ssh = { user: "admin", port: 2222, key: { secret: "sshKey" }, knownHosts: "/known", bastion };
    const own = { host: "vm2.example.org", user: "ops", verifyHostKey: false, key: { file: "/key" } };
    const through = { bastion: { host: "other", port: 23 } };
    const hosts = [vm1, { ...vm2, ssh: own }, { ...vm1, name: "vm3", address: "10.0.0.3", ssh: through }];
    const [first, second, third] = parse({ ssh, hosts }, ["sshKey"]).hosts.map((host) => host.ssh);
    const key = { secret: "sshKey", place: "ssh.key" };
    const knownHosts = join(homedir(), ".ssh/known_hosts");
    const jump = {
      ...{ host: "jump", port: 22, user: "root", hostKey: "ssh-ed25519 AAAA", knownHosts, verifyHostKey: true },
      key: { agent: true, place: "ssh.bastion.key" },
    };
    assert.deepEqual(first, {
      ...{ host: "10.0.0.1", port: 2222, user: "admin", hostKey: undefined, knownHosts: "/known", verifyHostKey: true },
      key,
      bastion: jump,
    });
    assert.deepEqual(second, {
      ...{ host: "vm2.example.org", port: 2222, user: "ops", knownHosts: "/known", verifyHostKey: false },
      hostKey: undefined,
      key: { file: "/key", place: "hosts[1].ssh.key" },
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
  const refusals: [string, Record<string, unknown>, string[]][] = [
    // A single field.
    ["a missing key", { istioVersion: undefined }, ["istioVersion: missing; expected a version such as 1.31.0"]],
    [
      "a version that is none",
      { istioVersion: "latest" },
      ['istioVersion: "latest" is not allowed; expected a version such as 1.31.0'],
    ],
    [
      "a missing sidecar",
      { sidecar: undefined },
      ["sidecar: missing; expected {url: URL, sha256: HEX} or {file: PATH, sha256: HEX}"],
    ],
    [
      "a range that is none",
      { serviceCidr: "10.0.0.0" },
      ['serviceCidr: "10.0.0.0" is not allowed; expected auto, a CIDR such as 10.96.0.0/16, or "*"'],
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
      "an environment's name",
      host({ environment: { "A-B": "c" } }),
      ["hosts[0].environment.A-B: the name is not allowed; expected the name of an environment variable"],
    ],

    // Fields and keys that there are not.
    [
      "an unknown key",
      { host: [] },
      [
        "host: unknown key; there are cluster, istioVersion, istioOperator, exposure, serviceCidr, ca, " +
          "workloadCertificate, ssh, hosts, healDrift, services, sidecar, sampleClient, and the secrets that they name",
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
        'sidecar.url: "ftp://x" is not allowed; expected an http or https URL',
        'sidecar.sha256: "AA" is not allowed; expected a SHA-256 in hex',
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
    ["a typo in a new CA", { ca: { organisation: "x" } }, ["ca.organisation: unknown field"]],
    [
      "an exposure",
      { exposure: { type: "Ingress" } },
      [
        'exposure.type: "Ingress" is not allowed; expected {type: NodePort, nodeAddress: ADDRESS} or {type: LoadBalancer}',
      ],
    ],
    [
      "a NodePort without address",
      { exposure: { type: "NodePort" } },
      ["exposure.nodeAddress: missing; expected an IP address"],
    ],
    [
      "an IstioOperator that is a list",
      { istioOperator: [] },
      ["istioOperator: [] is not allowed; expected an IstioOperator, or the path of its YAML file"],
    ],

    // What spans fields.
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
      istioVersion: undefined,
      hosts: [
        { ...vm1, name: "A" },
        { ...vm2, address: "b" },
      ],
      x: "y",
    });
    assert.equal(error.problems.length, 4);
    assert.equal(error.message, `IVM201 the stack's configuration has 4 problems:\n  ${error.problems.join("\n  ")}`);
    assert.match(refusal({ serviceCidr: "x" }).message, /^IVM201 the stack's configuration has 1 problem:\n/);
    const references = refusal({ hosts: [vm1, vm1], services: [{ ...mysql, hosts: ["x"] }], istioOperator: "/none" });
    assert.equal(references.problems.length, 4);
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
        (key) => ({ istioVersion: key }),
        (key) => ({ istioOperator: key }),
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
          assert.doesNotMatch(refusal(place(key), ["caKey"]).message, /MII|BEGIN/, JSON.stringify(place("KEY")));
        }
      }
    });
  });

  describe("istioOperator", () => {
    const file = (text: string, check: (path: string) => void) =>
      withDirectory((directory) => {
        const path = join(directory, "operator.yaml");
        writeFileSync(path, text);
        check(path);
      });

    it("may be a file or a map", async () => {
      const istioOperator = { spec: { profile: "minimal" } };
      assert.deepEqual(parse({ istioOperator }).istioOperator, istioOperator);
      await file("spec:\n  profile: minimal\n", (path) =>
        assert.deepEqual(parse({ istioOperator: path }).istioOperator, istioOperator),
      );
    });

    it("is refused where the file is missing", () => {
      assert.deepEqual(refusal({ istioOperator: "/none/o.yaml" }).problems, [
        "istioOperator: \"/none/o.yaml\" can't be read: ENOENT: no such file or directory, open '/none/o.yaml'",
      ]);
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
          const [problem, ...others] = refusal({ istioOperator: path }).problems;
          assert.ok(problem?.startsWith(`istioOperator: "${path}" can't be read: ${reason}`), problem);
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
