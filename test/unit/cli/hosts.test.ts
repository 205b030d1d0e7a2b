import assert from "node:assert/strict";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { glanceAtHosts, inspectHosts, lookAtSockets, watchHosts } from "../../../cli/facts/hosts";
import type { ConfiguredStack } from "../../../cli/stack";
import type { HostFacts } from "../../../diagnosis/facts";
import { sshKey, startSshServer, type TestServer } from "../../support/sshServer";
import { healthyFacts } from "../diagnosis/checks/facts";
import { withDirectory } from "../support";

const INSPECT = join(__dirname, "../../../host/inspect.sh");

describe("what a host is asked", () => {
  const key = sshKey();
  let server: TestServer;
  let stack: ConfiguredStack;
  let stop: AbortController;
  const path = process.env.PATH;
  beforeEach(async () => {
    stop = new AbortController();
    server = await startSshServer({ authorizedKey: key.public });
    const { config, outputs, owner } = await healthyFacts();
    const hosts = config!.hosts.map((host) => ({ ...host, ssh: { ...host.ssh, ...reach() } }));
    stack = {
      config: { ...config!, hosts: hosts.slice(0, 1) },
      outputs,
      owner,
      configProblems: [],
      secret: () => key.private,
    };
  });
  const reach = () => ({
    host: "127.0.0.1",
    port: server.port,
    hostKey: server.hostKey,
    key: { secret: "key", place: "ssh.key" },
  });
  afterEach(async () => {
    process.env.PATH = path;
    stop.abort();
    await server.close();
  });

  /** A root shell that notes what it was told, and runs `script` in its place. */
  const withShell = <T>(script: string, use: (calls: () => string[], told: () => string) => Promise<T>) =>
    withDirectory(async (folder) => {
      const log = join(folder, "calls");
      writeFileSync(log, "");
      const shell = `[ "$1" != -c ] || exec /bin/sh "$@"\necho "$3" >>${log}\ncat >${join(folder, "told")}\n${script}`;
      for (const [name, text] of Object.entries({ sh: shell, id: "echo 0" })) {
        writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`);
        chmodSync(join(folder, name), 0o755);
      }
      process.env.PATH = `${folder}:${path}`;
      return use(
        () => readFileSync(log, "utf8").trim().split("\n"),
        () => readFileSync(join(folder, "told"), "utf8"),
      );
    });

  const FACTS = "echo epoch $(date +%s); echo sidecar 1.31.0";
  const versions = (facts: HostFacts[]) => facts.map((host) => "inspection" in host && host.inspection.sidecar);

  it("by doctor is everything, by status and impact only what they show", () =>
    withShell(FACTS, async (calls) => {
      assert.deepEqual(versions(await inspectHosts(stack, undefined, () => undefined)), ["1.31.0"]);
      assert.deepEqual(versions(await glanceAtHosts(stack, () => undefined)), ["1.31.0"]);
      assert.deepEqual(versions(await lookAtSockets(stack, () => undefined)), ["1.31.0"]);
      assert.deepEqual(calls(), ["inspect", "glance", "impact"]);
    }));

  it("knows whether istiod has it serve both families of addresses", () =>
    withShell(FACTS, async (_, told) => {
      const [[revision, controlPlane]] = Object.entries(stack.outputs!.controlPlanes) as [[string, object]];
      for (const dualStack of [true, false]) {
        const outputs = { ...stack.outputs!, controlPlanes: { [revision]: { ...controlPlane, dualStack } } };
        await inspectHosts({ ...stack, outputs } as ConfiguredStack, undefined, () => undefined);
        assert.equal(/^cluster\.env ISTIO_DUAL_STACK=true$/m.test(told()), dualStack);
      }
    }));

  it("while it is watched goes through one session, which a limit of connections does not see again", () =>
    withShell(FACTS, async (calls) => {
      const told: string[] = [];
      const facts = await watchHosts(stack, (name) => told.push(name), { look: 10, login: 10, stop: stop.signal });
      while (calls().length < 4) await new Promise((resolve) => setTimeout(resolve, 10));
      assert.deepEqual([versions(facts), told, server.connections.opened], [["1.31.0"], ["vm1"], 1]);
      assert.deepEqual([...new Set(calls())], ["glance"]);
    }));

  it("while it is watched is asked again after it could not be, by a session of its own", () =>
    withShell(`[ -e "$0.ok" ] || { touch "$0.ok"; exit 1; }; ${FACTS}`, async () => {
      const facts = await watchHosts(stack, () => undefined, { look: 10, login: 10, stop: stop.signal });
      while (!("inspection" in facts[0]!)) await new Promise((resolve) => setTimeout(resolve, 10));
      assert.equal(server.connections.opened, 2);
    }));
});

describe("host/inspect.sh", () => {
  /** Everything that costs tells that it was called. */
  const STUBS = [
    ...["check_host", "check_istiod", "package_busy", "package_reachable"],
    ...["curl", "wget", "iptables-save", "getent", "systemctl"],
  ];
  const said = async (action: string, record: string) => {
    const costly = STUBS.map((name) => (/^[a-z_]+$/.test(name) ? `${name}() { echo "costly ${name}"; }` : "")).join(
      "\n",
    );
    const script = `RECORD=${record} HOME_DIR=${record} CERTS=${record} STATE='host vm1'
package_version() { echo 1.31.0; }
fact() { :; }
istiod_name() { echo istiod; }
in_touch() { :; }
status() { echo "ready yes"; }
. ${INSPECT}
in_touch() { echo "connected 1"; }
${costly}
${action}`;
    return (await execa("sh", ["-c", script], { reject: false })).stdout;
  };

  it("glances at what status shows, and nothing that costs", () =>
    withDirectory(async (folder) => {
      writeFileSync(join(folder, "owner"), "me\n");
      const glanced = await said("glance", folder);
      assert.deepEqual(
        glanced.split("\n").map((line) => line.split(" ")[0]),
        ["epoch", "sidecar", "owner", "changed", "connected", "status"],
      );
      const inspected = await said("inspect", folder);
      for (const stub of ["package_reachable", "check_host"]) assert.match(inspected, new RegExp(`costly ${stub}`));
    }));

  it("says of a host that is not joined what little there is", async () => {
    assert.match(await said("glance", "/nonexistent"), /^epoch [\d.]+\nsidecar 1\.31\.0$/);
  });
});
