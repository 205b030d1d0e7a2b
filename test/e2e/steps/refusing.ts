import assert from "node:assert/strict";
import { assertSame, becomesSame } from "../../support/snapshot";
import type { StackConfig } from "../../support/testStack";
import { snapshotVm } from "../../support/vmSnapshot";
import { askFromPod } from "../mesh";
import { POWERLESS, type Story } from "../story";

interface Refusal {
  what: string;
  /** Makes the faulty configuration of a good one. */
  change: (config: StackConfig) => StackConfig;
  env?: () => Record<string, string>;
  /** What the message must say: host or field, and the reason. */
  says: RegExp[];
}

export function refusing(story: Story): void {
  const add =
    (name: string, more: () => StackConfig = () => ({})) =>
    (config: StackConfig) => ({ ...config, hosts: [...(config.hosts as object[]), story.host(name, more())] });

  const onHosts: Refusal[] = [
    {
      what: "a host with another host key",
      change: add("vm2", () => ({ ssh: { hostKey: story.hostKey("vm1") } })),
      says: [/vm2/, /host key/i],
    },
    {
      what: "a host that can't be reached",
      change: add("vm9", () => ({ ssh: { hostKey: story.hostKey("vm1") } })),
      says: [/vm9/, /172\.30\.0\.29/, /connect|dial|unreachable|timed? ?out/i],
    },
    {
      what: "a user without sudo rights",
      change: add("vm2", () => ({ ssh: { user: POWERLESS } })),
      says: [/vm2/, /sudo/],
    },
    {
      what: "a package with another digest",
      change: (config) => ({
        ...add("vm2")(config),
        sidecar: { ...(config.sidecar as object), sha256: "0".repeat(64) },
      }),
      says: [/vm2: .*SHA-256/, /sidecar\.sha256/],
    },
  ];

  const beforeAnything: Refusal[] = [
    {
      what: "an istioctl of another version",
      change: (config) => config,
      env: () => ({ PATH: story.fakeCommand("istioctl", `echo '{"clientVersion":{"version":"1.30.2"}}'`) }),
      says: [/istioctl is of version 1\.30\.2/, /istioVersion is 1\.31/],
    },
    {
      what: "an IstioOperator with a field that Istio does not know",
      change: (config) => {
        const { spec } = config.istioOperator as { spec: { values: object } };
        const values = { ...spec.values, global: { meshExpansion: { enabled: true } } };
        return { ...config, istioOperator: { spec: { ...spec, values } } };
      },
      says: [/istioctl manifest generate/, /unknown field "meshExpansion"/],
    },
    {
      what: "a bad configuration, with all its problems at once",
      change: (config) => ({
        ...add("vm2", () => ({ address: "172.30.0.300", inboundPorts: [70000] }))(config),
        exposure: { type: "Ingress" },
        services: [{ name: "vmhttp", namespace: "vm", hosts: ["vm1"], ports: [] }],
        colour: "blue",
      }),
      says: [
        /has 5 problems/,
        /hosts\[1\]\.address: "172\.30\.0\.300"/,
        /hosts\[1\]\.inboundPorts\[0\]: 70000/,
        /exposure\S*: .*NodePort/,
        /services\[0\]\.ports: .*at least one port/,
        /colour: unknown key/,
      ],
    },
  ];

  describe("what can't be done", () => {
    let vm1: string;
    before(async () => {
      vm1 = await story.sidecarRun("vm1");
    });

    for (const refusal of onHosts) {
      it(`refuses ${refusal.what}, leaves it as it was, and does not disturb vm1`, async () => {
        await refused(refusal, ["up", "--yes", "--skip-preview"]);
        const take = () => snapshotVm(story.lab, "vm2");
        await becomesSame(story.before.vm2, take, "vm2");
        await undisturbed();
      });
    }

    it("has sent nothing to the host with another host key, not even its user's name", async () => {
      const begun = (await story.inVm("vm2", "date", "+%s.%N")).trim();
      await refused(onHosts[0]!, ["up", "--yes", "--skip-preview"]);
      const log = await story.inVm("vm2", "journalctl", "--unit=ssh", "--output=cat", `--since=@${begun}`);
      assert.match(log, /172\.30\.0\.1/, "sshd logged no connection");
      assert.doesNotMatch(log, /Accepted|Failed|authenticating user|Invalid user/, log);
    });

    for (const refusal of beforeAnything) {
      it(`refuses ${refusal.what}, before anything is done`, async () => {
        const { stdout: was } = await story.stack.succeed(["stack", "export"]);
        await refused(refusal, ["up", "--yes"]);
        const { stdout: is } = await story.stack.succeed(["stack", "export"]);
        assert.equal(is, was, "the stack's state changed");
        assertSame(story.before.vm2, await snapshotVm(story.lab, "vm2"), "vm2");
        await undisturbed();
      });
    }

    after(() => story.stack.configure(story.config));

    async function refused({ change, env, says }: Refusal, args: string[]): Promise<void> {
      story.stack.configure(change(structuredClone(story.config)));
      const output = await story.stack.fail(args, env?.());
      for (const words of says) assert.match(output, words);
    }

    async function undisturbed(): Promise<void> {
      assert.equal(await story.sidecarRun("vm1"), vm1, "vm1's sidecar was restarted");
      const { page } = await askFromPod();
      assert.match(page, /^This is vm1\./);
    }
  });
}
