import assert from "node:assert/strict";
import { join } from "node:path";
import { until } from "../../../lab/run";
import { becomesSame } from "../../support/snapshot";
import type { StackConfig } from "../../support/testStack";
import { snapshotVm } from "../../support/vmSnapshot";
import { parseUrn, readOperations } from "../engineEvents";
import { askFromPod } from "../mesh";
import type { Story } from "../story";

/** Three hosts in one update: vm1 changes, vm2 joins, and vm3, where a port is taken, can't. */
export function sparingTheOthers(story: Story): void {
  describe("one broken host of three", () => {
    let original: StackConfig;
    let wanted: StackConfig;
    let output: string;

    const urlOf = (host: string) => `http://of-${host}.vm.svc.cluster.local:8080`;
    const untilAnswers = (host: string) =>
      until(`an answer of ${host}`, 20, async () => {
        const page = await askFromPod(urlOf(host)).then(
          (answer) => answer.page,
          () => "",
        );
        return page.startsWith(`This is ${host}.`);
      });

    before(async () => {
      original = story.config;
      const names = ["vm1", "vm2", "vm3"];
      const [service] = story.config.services as StackConfig[];
      wanted = {
        ...story.config,
        hosts: names.map((name) => story.host(name, name === "vm1" ? { inboundPorts: [8080, 9090] } : {})),
        services: [
          ...(story.config.services as StackConfig[]),
          ...names.map((name) => ({ ...service, name: `of-${name}`, hosts: [name] })),
        ],
      };
      await story.inVm("vm3", "systemd-run", "--quiet", "--unit=e2e-taken", "python3", "-m", "http.server", "15021");
      await until("port 15021 to be taken", 10, async () =>
        (await story.inVm("vm3", "ss", "-Hltn")).includes(":15021 "),
      );
      story.stack.configure(wanted);
      output = await story.stack.fail(["up", "--yes", "--skip-preview", "--continue-on-error"]);
      await story.noteKeys(story.stack);
    });
    after(() => story.inVm("vm3", "systemctl", "stop", "e2e-taken.service").catch(() => undefined));

    it("is named, with the reason; the update fails", () => {
      assert.match(
        output,
        /vm3: can't join the mesh; nothing was changed:\s+- IVM714 port 15021, which the sidecar needs, is taken/,
      );
      assert.doesNotMatch(output, /vm[12]: (can't|undo)/);
    });

    for (const name of ["vm1", "vm2"]) it(`does not keep ${name} from the mesh`, () => untilAnswers(name));

    it("is all that the next update touches, once it is mended", async () => {
      await story.inVm("vm3", "systemctl", "stop", "e2e-taken.service");
      const others = () => Promise.all(["vm1", "vm2"].map((name) => story.sidecarRun(name)));
      const before = await others();
      const log = join(story.folder, "mended.log");
      await story.bring(wanted, `--event-log=${log}`);
      const changes = readOperations(log).filter(({ op }) => op !== "same");
      const names = changes.map(({ op, urn }) => `${op} ${parseUrn(urn).name}`).sort();
      assert.deepEqual(names, ["create vm3-join", "create vm3-membership-vm"]);
      assert.deepEqual(await others(), before, "the others' sidecars were restarted");
      await untilAnswers("vm3");
    });

    it("and both that joined are given back when they are taken out again", async () => {
      await story.bring(original);
      await becomesSame(story.before.vm2, () => snapshotVm(story.lab, "vm2"), "vm2");
    });
  });
}
