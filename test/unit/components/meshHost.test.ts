import assert from "node:assert/strict";
import * as pulumi from "@pulumi/pulumi";
import { STATE_KEYS } from "../../../mesh/hostState";
import { MeshHost, type MeshHostArgs } from "../../../components/meshHost";
import { joinScript } from "../../../ssh/bundle";
import { accessCommand, hostScript, leaveCommand, remoteCommand } from "../../../ssh/commands";
import { withHooks } from "../hooks";
import { certificate, privateKey, runProgram, Secret, UNKNOWN, valueOf } from "../support";

const ID = "spiffe://cluster.local/ns/vm/sa/default";
const SHA = "a".repeat(64);
const AMD64_DEB = { format: "deb", architecture: "amd64", sha256: SHA } as const;
const LOGIN_KEY = privateKey("login");
const HOST_KEY = privateKey("vm1");

/** Makes a component, and then runs one of its hooks, as the engine does. */
async function runHook(name: string, component: () => unknown): Promise<void> {
  const { callHook } = await withHooks(() => runProgram(component, { outputs: () => ({ stdout: "" }) }));
  await callHook(name);
}

describe("MeshHost", () => {
  let args: MeshHostArgs;
  let proof: { certChain: string; key: pulumi.Output<string> };
  before(async () => {
    proof = { certChain: await certificate({ uris: [ID] }), key: pulumi.secret(HOST_KEY) };
    args = {
      // Nobody listens there: should the test fail half way, nothing is dialled.
      connection: { host: "127.0.0.1", port: 1, user: "admin", privateKey: pulumi.secret(LOGIN_KEY) },
      address: "10.0.0.1",
      namespace: "vm",
      serviceAccount: "default",
      trustDomain: "cluster.local",
      clusterName: "Kubernetes",
      serviceCidr: "10.32.0.0/24",
      inboundPorts: [3306, 8080],
      labels: { app: "mysql" },
      environment: { ISTIO_META_DNS_CAPTURE: "true" },
      istiod: { addresses: ["192.168.17.150"], port: 31794, name: "istiod.istio-system.svc" },
      identity: ID,
      rootCert: "root\n",
      proof,
      sidecar: [{ ...AMD64_DEB, url: "https://example.org/sidecar.deb" }],
      owner: "me",
    };
  });
  const make = (changes: Partial<MeshHostArgs> = {}, preview = false) =>
    runProgram(() => new MeshHost("vm1", { ...args, ...changes }), {
      preview,
      outputs: ({ name }) =>
        name === "vm1-join" && !preview ? { stdout: "check: ok\nsidecar 1.31.0, in sync\n" } : {},
    });
  /** The lines of the state that a join is given. */
  const linesOf = (stdin: unknown) => {
    const [, state = ""] = /^state='\n([^']*)\n'\n/.exec(stdin as string) ?? [];
    assert.equal(stdin, joinScript(state));
    return state.split("\n");
  };

  it("has a command that leaves when it is deleted, and after it one that joins", async () => {
    const { resources, find, result } = await make();
    assert.deepEqual(
      resources.map(({ type, name, parent, dependencies }) => [type, name, parent, dependencies]),
      [
        ["istio-vm:index:MeshHost", "vm1", undefined, []],
        ["command:remote:Command", "vm1-access", "vm1", []],
        ["command:remote:Command", "vm1-join", "vm1", ["vm1-access"]],
      ],
    );
    const access = find("vm1-access").inputs;
    assert.deepEqual(
      [access.create, access.delete, access.stdin],
      [accessCommand("vm1"), leaveCommand(), hostScript("vm1", "me")],
    );
    const join = find("vm1-join").inputs;
    assert.equal(join.create, remoteCommand("join"));
    assert.ok(!("delete" in join));
    for (const name of ["vm1-access", "vm1-join"]) {
      const { connection, addPreviousOutputInEnv } = find(name).inputs;
      assert.ok(connection instanceof Secret);
      const { privateKey, host, port } = connection.value as Record<string, unknown>;
      assert.deepEqual([privateKey, host, port, addPreviousOutputInEnv], [LOGIN_KEY, "127.0.0.1", 1, false]);
    }
    assert.equal(await valueOf(result.state), "sidecar 1.31.0, in sync");
  });

  it("shows nothing of a package's URL that is a secret", async () => {
    const { resources, find } = await make({
      sidecar: [{ ...AMD64_DEB, secretUrl: pulumi.secret("https://u:hunter2@h/") }],
    });
    assert.ok((find("vm1-join").inputs.stdin as string).includes(`\npackage deb amd64 ${SHA} secret-url\n`));
    assert.doesNotMatch(
      JSON.stringify(resources, (_, value: unknown) => (value instanceof Secret ? value.value : value)),
      /hunter2/,
    );
  });

  it("shows the wanted state in plain text, a fact a line", async () => {
    const lines = linesOf((await make()).find("vm1-join").inputs.stdin);
    assert.deepEqual(
      lines.map((line) => line.replace(SHA, "SHA").replace(/:[0-9a-f]{16}\b/, ":DIGEST")),
      [
        "host vm1",
        "owner me",
        `identity ${ID}`,
        "package deb amd64 SHA https://example.org/sidecar.deb",
        "istiod 31794 istiod.istio-system.svc 192.168.17.150",
        "not-before 1767225600 2026-01-01T00:00:00Z",
        "not-after 1798761600 2027-01-01T00:00:00Z",
        "hosts 192.168.17.150 istiod.istio-system.svc",
        "cluster.env ISTIO_SERVICE_CIDR=10.32.0.0/24",
        "cluster.env ISTIO_INBOUND_PORTS=3306,8080",
        "cluster.env ISTIO_PILOT_PORT=31794",
        "cluster.env ISTIO_NAMESPACE=vm",
        "cluster.env SERVICE_ACCOUNT=default",
        "cluster.env POD_NAME=vm1",
        "cluster.env TRUST_DOMAIN=cluster.local",
        "cluster.env ISTIO_META_CLUSTER_ID=Kubernetes",
        "cluster.env PROV_CERT=/var/lib/istio/identity",
        "cluster.env OUTPUT_CERTS=/etc/certs",
        "cluster.env CA_ROOT_CA=/etc/certs/root-cert.pem",
        "cluster.env PROXY_CONFIG_XDS_AGENT=true",
        "cluster.env ISTIO_LOCAL_EXCLUDE_PORTS=1,22,15020,15021,15090",
        "sidecar.env ISTIO_SVC_IP=10.0.0.1",
        String.raw`sidecar.env ISTIO_METAJSON_LABELS="{\"app\":\"mysql\"}"`,
        "sidecar.env ISTIO_META_DNS_CAPTURE=true",
        "file 0644 /var/lib/istio/envoy/cluster.env lines:cluster.env restart",
        "file 0644 /var/lib/istio/envoy/sidecar.env lines:sidecar.env restart",
        "file - /etc/hosts block:hosts restart",
        "file 0644 /etc/certs/root-cert.pem roots:DIGEST",
        `file 0644 /etc/certs/cert-chain.pem certificate:${ID}`,
        `file 0600 /etc/certs/key.pem certificate:${ID}`,
        "file 0644 /var/lib/istio/identity/cert-chain.pem sha256:DIGEST",
        "file 0600 /var/lib/istio/identity/key.pem of-certificate:DIGEST",
        "scripts sha256:DIGEST",
      ],
    );
  });

  it("has lines under every key that a file's line names", async () => {
    const lines = linesOf((await make()).find("vm1-join").inputs.stdin);
    const named = lines.flatMap((line) => /^file .* (?:lines|block):(\S+)/.exec(line)?.[1] ?? []);
    for (const key of named) assert.ok(key in STATE_KEYS && lines.some((line) => line.startsWith(`${key} `)), key);
  });

  it("has neither keys nor certificates nor scripts in any input, but brings them just before the join", async () => {
    const { resources, find } = await make();
    const revealed = (value: unknown): unknown => {
      if (value instanceof Secret) return revealed(value.value);
      if (typeof value !== "object" || value === null) return value;
      return Object.values(value).map(revealed);
    };
    const shown = JSON.stringify(revealed(resources));
    assert.ok(shown.includes(JSON.stringify(LOGIN_KEY).slice(1, -1)), "the login's key is there, as a secret");
    assert.doesNotMatch(JSON.stringify(resources), /PRIVATE KEY/); // A Secret is a placeholder in JSON.
    for (const text of [HOST_KEY, proof.certChain, "install_package"]) {
      assert.ok(!shown.includes(JSON.stringify(text).slice(1, -1)), text);
    }
    assert.deepEqual(find("vm1-join").asksBefore, { create: true, update: true });
    // Whether it may be found elsewhere (ssh/machine.ts).
    assert.deepEqual(find("vm1-access").asksBefore, { create: false, update: true });
    assert.equal(typeof find("vm1-join").inputs.stdin, "string");
  });

  it("tells a host of each package, and of one that is a file here that it is sent", async () => {
    const rpm = { format: "rpm", architecture: "arm64", sha256: SHA } as const;
    const { find } = await make({
      sidecar: [
        { ...AMD64_DEB, file: "istio-sidecar.deb" },
        { ...rpm, url: "https://example.org/a.rpm" },
      ],
    });
    assert.deepEqual(
      linesOf(find("vm1-join").inputs.stdin).filter((line) => line.startsWith("package ")),
      [`package deb amd64 ${SHA} sent`, `package rpm arm64 ${SHA} https://example.org/a.rpm`],
    );
  });

  it("changes the text when a certificate or the key changes, and says which", async () => {
    const text = async (changes: Partial<MeshHostArgs>) => linesOf((await make(changes)).find("vm1-join").inputs.stdin);
    const before = await text({});
    const changed = async (changes: Partial<MeshHostArgs>) => {
      const after = await text(changes);
      return before.filter((line, n) => line !== after[n]).map((line) => line.split(" ").slice(0, 3).join(" "));
    };
    assert.deepEqual(await changed({}), []);
    assert.deepEqual(await changed({ rootCert: "other" }), ["file 0644 /etc/certs/root-cert.pem"]);
    const certChain = await certificate({ uris: [ID] });
    assert.deepEqual(await changed({ proof: { ...proof, certChain } }), [
      "file 0644 /var/lib/istio/identity/cert-chain.pem",
      "file 0600 /var/lib/istio/identity/key.pem",
    ]);
  });

  it("puts revocation lists there if the mesh has any, and leads the agent to them from each boot on", async () => {
    const lists = async (revocationLists?: string) =>
      linesOf((await make({ revocationLists })).find("vm1-join").inputs.stdin).filter((line) =>
        /crl|tmpfiles/.test(line),
      );
    assert.deepEqual(await lists(), []);
    const [outer, inner, atBoot, file, conf] = await lists("a list\n");
    assert.deepEqual(
      [outer, inner, atBoot],
      [
        "tmpfiles d /run/secrets 0755 istio-proxy istio-proxy -",
        "tmpfiles d /run/secrets/istio 0755 istio-proxy istio-proxy -",
        "tmpfiles L /run/secrets/istio/crl - - - - /var/lib/istio/crl",
      ],
    );
    assert.match(file!, /^file 0644 \/var\/lib\/istio\/crl\/ca-crl\.pem lists:[0-9a-f]{16}$/);
    assert.equal(conf, "file 0644 /etc/tmpfiles.d/istio-vm.conf lines:tmpfiles");
    assert.notEqual((await lists("another\n"))[3], file);
  });

  it("previews the whole text once certificates are there, and not what join will say", async () => {
    const known = await make({}, true);
    assert.match(known.find("vm1-join").inputs.stdin as string, /ISTIO_PILOT_PORT=31794/);
    assert.equal(await valueOf(known.result.state), UNKNOWN);
  });

  it("asks nothing of a host that is gone, now or when it is deleted", async () => {
    const { resources, find, result } = await make({ gone: true });
    assert.deepEqual(
      resources.map(({ name }) => name),
      ["vm1", "vm1-access"],
    );
    const { retainOnDelete, ignoreChanges, inputs } = find("vm1-access");
    assert.ok(retainOnDelete);
    const constant = ["addPreviousOutputInEnv"];
    assert.deepEqual([...ignoreChanges, ...constant].sort(), Object.keys(inputs).sort());
    assert.equal(await valueOf(result.state), "gone");
    const present = (await make()).find("vm1-access");
    assert.deepEqual([present.retainOnDelete, present.ignoreChanges], [false, []]);
    assert.deepEqual(present.inputs, inputs);
  });

  it("changes the text at every run when drift is to be healed, and at no run else", async () => {
    const last = async (changes: Partial<MeshHostArgs>) =>
      linesOf((await make(changes)).find("vm1-join").inputs.stdin).at(-1)!;
    const now = Date.now();
    const [, time] = /^run (.*)$/.exec(await last({ healDrift: true }))!;
    assert.ok(Date.parse(time!) >= now && Date.parse(time!) <= Date.now(), time);
    assert.match(await last({ healDrift: false }), /^scripts /);
  });

  describe("with a token", () => {
    const TOKEN = "THE TOKEN";
    const byToken = (asked: string[] = [], ended?: Date): Partial<MeshHostArgs> => ({
      proof: { token: () => Promise.resolve(TOKEN).finally(() => asked.push("asked")), ended },
    });
    const ENDED = new Date("2026-03-01T12:00:00Z");

    it("asks for it just before it is sent, and has it in no input or output", async () => {
      const asked: string[] = [];
      const { resources, find } = await make(byToken(asked));
      assert.deepEqual(asked, []);
      assert.deepEqual(find("vm1-join").asksBefore, { create: true, update: true });
      const revealed = JSON.stringify(resources, (_, value: unknown) =>
        value instanceof Secret ? value.value : value,
      );
      assert.doesNotMatch(revealed, /THE TOKEN/);
      // What is brought is told by the host that takes it: here nobody does.
      const bring = runHook("vm1-bring", () => new MeshHost("vm1", { ...args, ...byToken(asked) }));
      await assert.rejects(bring, /^Error: vm1: what the join needs could not be brought: (?!.*THE TOKEN)/);
      assert.deepEqual(asked, ["asked"]);
    });

    it("says why there is none, and on which host", async () => {
      const none = { token: () => Promise.reject(new Error("kubectl is not on the PATH")) };
      const bring = runHook("vm1-bring", () => new MeshHost("vm1", { ...args, proof: none }));
      await assert.rejects(bring, /^Error: vm1: kubectl is not on the PATH$/);
    });

    it("tells a host that its agent makes key and certificate, of which the program knows neither", async () => {
      const lines = linesOf((await make(byToken())).find("vm1-join").inputs.stdin);
      assert.deepEqual(
        lines
          .filter((line) => /^(not-|renewed|file .*\.pem)/.test(line))
          .map((line) => line.replace(/:[0-9a-f]{16}/, "")),
        [
          "file 0644 /etc/certs/root-cert.pem roots",
          `file 0644 /etc/certs/cert-chain.pem token:${ID}`,
          `file 0600 /etc/certs/key.pem token:${ID}`,
        ],
      );
      assert.deepEqual(
        (await make(byToken())).resources.map(({ name }) => name),
        ["vm1", "vm1-renewed", "vm1-access", "vm1-join"],
      );
    });

    for (const preview of [false, true]) {
      it(`keeps in sight after which end it needed a new one, ${preview ? "before" : "and"} it has it`, async () => {
        const { find } = await make(byToken([], ENDED), preview);
        assert.deepEqual(find("vm1-renewed").ignoreChanges, []);
        const lines = linesOf(find("vm1-join").inputs.stdin);
        assert.ok(lines.includes("renewed after the end of 2026-03-01T12:00:00.000Z"), lines.join("\n"));
      });
    }

    it("stays as it is once it has one, and while it can't be asked", async () => {
      const { find } = await make(byToken());
      assert.deepEqual(find("vm1-renewed").ignoreChanges, ["input"]);
    });
  });

  it("fails on a certificate that is none", async () => {
    await assert.rejects(make({ proof: { ...proof, certChain: "none" } }));
  });
});
