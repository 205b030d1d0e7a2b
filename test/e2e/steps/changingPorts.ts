import assert from "node:assert/strict";
import { join } from "node:path";
import { vmByName } from "../../../lab/paths";
import type { StackConfig } from "../../support/testStack";
import { parseUrn, readOperations } from "../engineEvents";
import { untilPlainly, withStrictTls } from "../mesh";
import type { Story } from "../story";

const PORT = 9090;

export function changingPorts(story: Story): void {
  describe("one more inbound port of vm1", () => {
    const { address } = vmByName(story.lab, "vm1");
    const changed = () => {
      const [vm1, ...others] = story.config.hosts as StackConfig[];
      return { ...story.config, hosts: [{ ...vm1, inboundPorts: [8080, PORT] }, ...others] };
    };

    // Something to talk to: systemd keeps it until the test ends it.
    before(() =>
      story.inVm("vm1", "systemd-run", "--quiet", "--unit=e2e-listener", "python3", "-m", "http.server", String(PORT)),
    );
    after(() => story.inVm("vm1", "systemctl", "stop", "e2e-listener.service"));

    // No service has this port, so nothing says its protocol: clients without a sidecar need the detection filter.
    it("is one line of one host in the preview, and no secret is shown", async () => {
      story.stack.configure(changed());
      const { output } = await story.stack.succeed(["preview", "--diff"]);
      const lines = output.split("\n").map((line) => line.trim());
      const about = lines.filter((line) => line.includes("ISTIO_INBOUND_PORTS"));
      const marked = about.filter((line) => /^[-+]/.test(line));
      assert.deepEqual(
        marked,
        ["- cluster.env ISTIO_INBOUND_PORTS=8080", `+ cluster.env ISTIO_INBOUND_PORTS=8080,${PORT}`],
        output,
      );
      const urns = lines.flatMap((line) => /^\[urn=(.*)\]$/.exec(line)?.[1] ?? []);
      const resources = urns.map((urn) => parseUrn(urn)).filter(({ type }) => type !== "pulumi:pulumi:Stack");
      assert.deepEqual(resources.map(({ name }) => name).sort(), ["vm1-join", "vm1-workload-detection"], output);
      assert.doesNotMatch(output, /PRIVATE KEY|CERTIFICATE-----/);
    });

    it("is changed in place, on that host alone, and the sidecar takes its traffic", async () => {
      await withStrictTls(async () => {
        await untilPlainly("refused", address, 8080);
        await untilPlainly("answered", address, PORT);
        const log = join(story.folder, "ports.log");
        await story.bring(changed(), `--event-log=${log}`);
        const changes = readOperations(log).filter(({ op }) => op !== "same");
        assert.deepEqual(changes.map(({ op, urn }) => `${op} ${parseUrn(urn).name}`).sort(), [
          "create vm1-workload-detection",
          "update vm1-join",
        ]);
        await untilPlainly("refused", address, PORT);
      });
    });
  });
}
