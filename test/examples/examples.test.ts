/** Every example (examples/), run as `make example` runs it. */
import { labByName } from "../../lab/paths";
import { resetVm, vmExec } from "../../lab/vm";
import { EXAMPLES } from ".";
import { exampleConfig, printRows, removePods } from "./example";
import { snapshotCluster } from "../support/clusterSnapshot";
import { becomesSame, type Snapshot } from "../support/snapshot";
import { TestStack } from "../support/testStack";
import { snapshotVm } from "../support/vmSnapshot";

for (const [name, example] of Object.entries(EXAMPLES)) {
  describe(`example ${name}`, () => {
    const lab = labByName();
    const stack = new TestStack();
    const earlier = new Map<string, Snapshot>();
    let cluster: Snapshot;
    const look = async (vm: string): Promise<Snapshot> => {
      const all = [...(await snapshotVm(lab, vm))];
      return new Map(all.filter(([what]) => !example.data || !what.startsWith(example.data)));
    };
    const ofAll = (work: (vm: string) => Promise<unknown>) => Promise.all(example.vms.map(work));

    before(async () => {
      await ofAll((vm) => resetVm(lab, vm));
      await example.prepare?.(lab);
      await ofAll(async (vm) => {
        await vmExec(lab, vm, ["runuser", "--user=admin", "sudo", "true"]); // it leaves a file, the first time
        earlier.set(vm, await look(vm));
      });
      cluster = await snapshotCluster();
      await stack.init(exampleConfig(name));
    });
    after(async () => {
      await stack.succeed(["destroy", "--yes", "--skip-preview"]);
      stack.remove();
      await removePods(example);
      await example.end?.(lab);
      await ofAll((vm) => resetVm(lab, vm));
    });

    it("comes up, and changes nothing the second time", async () => {
      await stack.succeed(["up", "--yes", "--skip-preview"]);
      await stack.succeed(["preview", "--expect-no-changes"]);
    });

    it("does what it says", async () => printRows(await example.show(lab)));

    it("leaves hosts and cluster as they were", async () => {
      await stack.succeed(["destroy", "--yes", "--skip-preview"]);
      await ofAll((vm) => becomesSame(earlier.get(vm)!, () => look(vm), vm));
      await removePods(example);
      await becomesSame(cluster, snapshotCluster, "the cluster");
    });
  });
}
