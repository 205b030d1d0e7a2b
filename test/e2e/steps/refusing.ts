import assert from "node:assert/strict";
import { vmByName } from "../../../lab/paths";
import { assertSame, becomesSame } from "../../support/snapshot";
import { snapshotVm } from "../../support/vmSnapshot";
import { askFromPod } from "../mesh";
import { POWERLESS, type Story } from "../story";
import { operatorSpecOf, withOperatorSpec } from "../../support/testStack";

export function refusing(story: Story): void {
  describe("hosts that can't join", () => {
    let vm1: string;
    let output: string;

    // One update with all of them: under names of their own, but all except the absent one are vm2.
    before(async () => {
      vm1 = await story.sidecarRun("vm1");
      const onVm2 = { host: vmByName(story.lab, "vm2").address };
      story.stack.configure({
        ...story.config,
        hosts: [
          ...(story.config.hosts as object[]),
          story.host("vm3", { name: "stranger", ssh: { ...onVm2, hostKey: story.hostKey("vm1") } }),
          story.host("vm4", { name: "powerless", ssh: { ...onVm2, hostKey: story.hostKey("vm2"), user: POWERLESS } }),
          story.host("vm9", { name: "absent", ssh: { hostKey: story.hostKey("vm1") } }),
        ],
      });
      output = await story.stack.fail(["up", "--yes", "--skip-preview", "--continue-on-error"]);
      await story.noteKeys(story.stack);
    });

    /** What the engine reported of a host's commands. */
    const said = (host: string) => {
      const [, report] =
        new RegExp(`command:remote:Command \\(${host}-\\w+\\):\\n((?: .*\\n|\\n)*)`).exec(output) ?? [];
      assert.ok(report, `nothing is said of ${host}:\n${output}`);
      return report;
    };

    it("names the host whose key is another one", () => assert.match(said("stranger"), /host (key|denied)|handshake/i));

    it("names the host whose user has no sudo rights, and says so", () => {
      assert.match(said("powerless"), /sudo: /);
    });

    it("names the host that can't be reached", () => {
      assert.match(said("absent"), /dial|connect|EHOSTUNREACH|no route|timed? ?out/i);
    });

    it("leaves their machine as it was", async () => {
      await becomesSame(story.before.vm2, () => snapshotVm(story.lab, "vm2"), "vm2");
    });

    it("does not disturb vm1", () => undisturbed(story, vm1));
  });

  describe("a sidecar package with another digest", () => {
    const said = (host: string) =>
      new RegExp(
        `${host}: the sidecar package \\(deb for amd64\\) from \\S+ has SHA-256 \\w+, but the configuration's sha256 is 0{64}`,
      );

    before(() => {
      const { hosts, sidecar } = story.config as { hosts: object[]; sidecar: object };
      const wrong = { ...sidecar, sha256: "0".repeat(64) };
      story.stack.configure({ ...story.config, sidecar: wrong, hosts: [...hosts, story.host("vm2")] });
    });
    after(() => story.stack.configure(story.config));

    it("is refused on a fresh host, which is left as it was", async () => {
      const output = await story.stack.fail(["up", "--yes", "--skip-preview", "--target=**vm2**"]);
      assert.match(output, said("vm2"));
      await story.noteKeys(story.stack);
      await becomesSame(story.before.vm2, () => snapshotVm(story.lab, "vm2"), "vm2");
    });

    it("is refused on a host that has joined, whose sidecar goes on", async () => {
      const vm1 = await story.sidecarRun("vm1");
      const output = await story.stack.fail(["up", "--yes", "--skip-preview", "--target=**vm1-join"]);
      assert.match(output, said("vm1"));
      await undisturbed(story, vm1);
    });
  });

  describe("hosts that never joined, taken out of the configuration again", () => {
    it("are forgotten, whether they can be reached or not", async () => {
      const vm1 = await story.sidecarRun("vm1");
      story.stack.configure(story.config);
      await story.stack.succeed(["up", "--yes", "--skip-preview"]);
      await becomesSame(story.before.vm2, () => snapshotVm(story.lab, "vm2"), "vm2");
      await undisturbed(story, vm1);
    });
  });

  describe("a program that can't run", () => {
    let vm1: string;
    let state: string;
    const exported = async () => (await story.stack.succeed(["stack", "export"])).stdout;

    before(async () => {
      vm1 = await story.sidecarRun("vm1");
      state = await exported();
    });
    after(() => story.stack.configure(story.config));

    it("names the versions, when istioctl is of another one", async () => {
      const PATH = story.fakeCommand("istioctl", `echo '{"clientVersion":{"version":"1.30.2"}}'`);
      const output = await story.stack.fail(["up", "--yes"], { PATH });
      assert.match(output, /istioctl is of version 1\.30\.2, but controlPlane\.install\.version is 1\.31/);
    });

    it("names the field of an IstioOperator that Istio does not know", async () => {
      const spec = operatorSpecOf(story.config);
      const values = { ...(spec.values as object), global: { meshExpansion: { enabled: true } } };
      story.stack.configure(withOperatorSpec(story.config, { ...spec, values }));
      const output = await story.stack.fail(["up", "--yes"]);
      assert.match(output, /istioctl manifest generate/);
      assert.match(output, /unknown field "meshExpansion"/);
    });

    it("names every problem of a bad configuration at once", async () => {
      story.stack.configure({
        ...story.config,
        exposure: { type: "Ingress" },
        hosts: [story.host("vm2", { address: "172.30.0.300", inboundPorts: [70000] })],
        services: [{ name: "vmhttp", namespace: "vm", hosts: ["vm2"], ports: [] }],
        colour: "blue",
      });
      const output = await story.stack.fail(["up", "--yes"]);
      for (const problem of [
        /has 5 problems/,
        /hosts\[0\]\.address: "172\.30\.0\.300" is not allowed/,
        /hosts\[0\]\.inboundPorts\[0\]: 70000 is not allowed/,
        /exposure\S*: .*NodePort/,
        /services\[0\]\.ports: .*at least one port/,
        /colour: unknown key/,
      ]) {
        assert.match(output, problem);
      }
    });

    it("has changed nothing: not the stack's state, not a host", async () => {
      assert.equal(await exported(), state);
      assertSame(story.before.vm2, await snapshotVm(story.lab, "vm2"), "vm2");
      await undisturbed(story, vm1);
    });
  });
}

async function undisturbed(story: Story, run: string): Promise<void> {
  assert.equal(await story.sidecarRun("vm1"), run, "vm1's sidecar was restarted");
  assert.match((await askFromPod()).page, /^This is vm1\./);
}
