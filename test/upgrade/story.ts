/** A mesh with two hosts whose Istio is upgraded: who runs which version, and requests all the while. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { artifactPath } from "../../lab/artifacts";
import { istioctlOf, uninstallIstio } from "../../lab/istio";
import { packageUrl } from "../../lab/paths";
import { EARLIER, RELEASE, type Release } from "../../lab/recipes/istio";
import { EARLIER_PACKAGE, earlierSidecar } from "../../lab/recipes/sidecar";
import { run, until } from "../../lab/run";
import { injectionLabels } from "../../mesh/injection";
import { apply, askFromPod, idOf, kubectl } from "../e2e/mesh";
import { assertInSync } from "../e2e/steps/serving";
import { Story } from "../e2e/story";
import { clientIn, echoInPod, endEcho, PORTS } from "../support/echo";
import { labConfig, type StackConfig } from "../support/testStack";
import { fromPod, fromVm, requestsDuring } from "../support/traffic";

const HOSTS = ["vm1", "vm2"] as const;
export type Name = (typeof HOSTS)[number];

/** The package of a release, as `sidecar` of a stack or of a host says it. */
export function packageOf(release: Release): object {
  if (release === RELEASE) return labConfig().sidecar as object;
  const sha256 = createHash("sha256")
    .update(readFileSync(join(artifactPath(earlierSidecar), EARLIER_PACKAGE)))
    .digest("hex");
  return { url: packageUrl.replace(/[^/]*$/, EARLIER_PACKAGE), sha256 };
}

/** A service of each host with Istio's own retries, and one without any. */
const SERVICES = HOSTS.flatMap((vm) => [`${vm}http`, `${vm}bare`].map((name) => ({ name, vm })));
const urlOf = (service: string) => `http://${service}.vm.svc.cluster.local:8080`;
const SERVER = { name: "server", namespace: "default" };
const SERVER_URL = `http://${SERVER.name}.${SERVER.namespace}.svc.cluster.local:${PORTS.http}`;

const noRetries = SERVICES.filter(({ name }) => name.endsWith("bare")).map(({ name }) => {
  const host = `${name}.vm.svc.cluster.local`;
  return {
    apiVersion: "networking.istio.io/v1",
    kind: "VirtualService",
    metadata: { name, namespace: "default" },
    spec: { hosts: [host], http: [{ retries: { attempts: 0 }, route: [{ destination: { host } }] }] },
  };
});

/** A host's revision, and the release that its sidecar is of. */
export type Place = [revision: string, sidecar: Release];

export class UpgradeStory extends Story {
  private readonly path = process.env.PATH!;

  /** What the stack says of these hosts. */
  static config(more: StackConfig): StackConfig {
    const ports = [{ port: 8080 }];
    return {
      ...labConfig(),
      sidecar: packageOf(EARLIER),
      services: SERVICES.map(({ name, vm }) => ({ name, namespace: "vm", hosts: [vm], ports })),
      ...more,
    };
  }

  /** The hosts, each with what it says for itself. */
  hosts(own: Partial<Record<Name, StackConfig>> = {}): StackConfig[] {
    return HOSTS.map((name) => this.host(name, { labels: { app: name }, ...own[name] }));
  }

  /** From now on `istioctl` is that of the release, for the stack as for its user. */
  useIstioctl(release: Release): void {
    process.env.PATH = `${dirname(istioctlOf(this.lab, release))}:${this.path}`;
  }

  /** A pod that hosts ask, with a sidecar of the revision. */
  async serve(revision: string): Promise<void> {
    await echoInPod(this.lab, SERVER.name, SERVER.namespace, { injection: injectionLabels(revision), grace: 5 });
  }

  /** As one does after an upgrade in place, for a sidecar of the new version. */
  async restartServer(): Promise<void> {
    const of = [`deploy/${SERVER.name}`, `--namespace=${SERVER.namespace}`];
    await kubectl("rollout", "restart", ...of);
    await kubectl("rollout", "status", ...of, "--timeout=90s");
  }

  async withoutRetries(): Promise<void> {
    await apply(...noRetries);
  }

  /** Takes everything back, as far as it is there. */
  async endAll(): Promise<void> {
    await endEcho(SERVER.name);
    for (const { metadata } of noRetries) {
      await kubectl("delete", "virtualservices.networking.istio.io", metadata.name, "--ignore-not-found").catch(
        () => undefined, // where there is no Istio, there are none
      );
    }
    try {
      await this.end();
    } finally {
      process.env.PATH = this.path;
      await uninstallIstio(this.lab);
    }
  }

  /** Runs `npx istio-vm`. @throws with what it found wrong, if anything */
  async cli(...args: string[]): Promise<string> {
    const options = { cwd: this.stack.folder, env: this.stack.env, reject: false };
    const { exitCode, stdout, stderr } = await execa("npx", ["--no-install", "istio-vm", ...args], options);
    const wrong = stdout.split("\n").filter((line) => !/^ {2}[✓-] /.test(line));
    assert.equal(exitCode, 0, [`istio-vm ${args.join(" ")}`, ...wrong, stderr].join("\n"));
    return stdout;
  }

  /**
   * Does `work` while pods ask hosts, and hosts ask a pod, all the time. No request may fail.
   * @param pods whether a pod asks too; it can't while it is replaced itself
   */
  async underLoad(work: () => Promise<unknown>, pods = true): Promise<void> {
    const sources = [
      ...(pods ? SERVICES.map(({ name }) => fromPod(`pod to ${name}`, urlOf(name))) : []),
      ...HOSTS.map((vm) => fromVm(this.lab, vm, `${vm} to a pod`, SERVER_URL)),
    ];
    const all = await requestsDuring(sources, work, { workers: 1, limit: 1200 });
    const failures = all.map((requests) => requests.filter(({ status }) => status !== 200));
    for (const [n, { name }] of sources.entries()) {
      const slowest = Math.max(...all[n]!.map(({ seconds }) => seconds));
      console.log(
        `        ${name}: ${failures[n]!.length} of ${all[n]!.length} requests failed; the slowest took ${slowest.toFixed(1)} s`,
      );
    }
    for (const requests of all) assert.ok(requests.length > 20, "there was hardly any load");
    assert.deepEqual(failures.flat(), []);
  }

  /** The version that a host's agent has told its Envoy. */
  async runningOn(vm: Name): Promise<string> {
    const info = JSON.parse(
      await this.inVm(vm, "curl", "--silent", "--fail", "http://127.0.0.1:15000/server_info"),
    ) as {
      node: { metadata: { ISTIO_VERSION: string } };
    };
    return info.node.metadata.ISTIO_VERSION;
  }

  /** A row of `istioctl proxy-status` for each proxy of the revision. */
  proxies = (revision: string) => run(["istioctl", "proxy-status", `--revision=${revision}`]);

  /** Each host is where it shall be, in sync, serves a pod and is served by one, with both identities; doctor agrees. */
  async areAt(places: Record<Name, Place>): Promise<void> {
    const { stdout } = await this.stack.succeed(["stack", "output", "--json"]);
    const { meshHosts } = JSON.parse(stdout) as { meshHosts: Record<string, { revision: string; state: string }> };
    for (const vm of HOSTS) {
      const [revision, { version }] = places[vm];
      assert.equal(meshHosts[vm]!.revision, revision, vm);
      assert.ok(meshHosts[vm]!.state.includes(version), meshHosts[vm]!.state);
      assert.equal(await this.runningOn(vm), version, vm);
      const inSync = async () => {
        const table = await this.proxies(revision);
        return rowOf(table, `${vm}.vm`)?.includes(` ${version} `) ? table : undefined;
      };
      assertInSync(await until(`${vm} at ${revision}, with ${version}`, 30, inSync), `${vm}.vm`);
      await this.talks(vm);
    }
    await this.cli("doctor");
    const said = await this.cli("status", "--strict");
    for (const vm of HOSTS) {
      const row = said.split("\n").find((line) => line.startsWith(`✓ ${vm} `));
      assert.ok(row?.includes(` ${places[vm][1].version} `), said);
    }
  }

  /** Requests both ways, of which each end knows the identity of the other. */
  private async talks(vm: Name): Promise<void> {
    const id = idOf("vm", vm);
    const answer = await askFromPod(urlOf(`${vm}http`));
    assert.match(answer.page, new RegExp(`^This is ${vm}\\.`));
    assert.equal(answer.server, id, answer.page);
    assert.equal(answer.client, "spiffe://cluster.local/ns/default/sa/sleep", answer.page);
    const page = await this.inVm(vm, "curl", "--silent", "--show-error", "--fail", "--max-time", "5", SERVER_URL);
    assert.match(page, new RegExp(`^Hostname=${SERVER.name}$`, "m"));
    assert.equal(clientIn(page), id, page);
  }

  /** All pods of the mesh have a sidecar of this release, at the revision. */
  async podsAreAt([revision, { version }]: Place): Promise<void> {
    for (const app of ["sleep", SERVER.name]) {
      await until(`${app} at ${revision}`, 30, async () =>
        rowsOf(await this.proxies(revision), app).some((row) => row.includes(` ${version} `)),
      );
    }
  }
}

const rowOf = (table: string, proxy: string) => table.split("\n").find((row) => row.startsWith(`${proxy} `));
const rowsOf = (table: string, app: string) =>
  table.split("\n").filter((row) => new RegExp(`^${app}-\\S+\\.default `).test(row));
