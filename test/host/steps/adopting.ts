import assert from "node:assert/strict";
import { askFromPod } from "../../e2e/mesh";
import { becomesSame, differences, type Snapshot } from "../../support/snapshot";
import { adopted, guideOf, joinByHand, snapshotBeside, untilReady } from "../handMade";
import type { Host } from "../host";
import { loadDuring } from "../load";
import type { Mesh } from "../mesh";
import { THOROUGH, withTimes } from "../times";

const SIDECAR = "systemctl show --property=MainPID --value istio";

export function adopting(mesh: Mesh): void {
  describe("a host that was joined by hand", () => {
    let host: Host;
    let state: string;
    let was: Snapshot;

    /** Its own sidecar serves, and all else is as it was. */
    async function assertHandMade(): Promise<void> {
      await untilReady(host);
      await becomesSame(was, () => snapshotBeside(host), host.name, 20);
      const { server } = await askFromPod();
      assert.equal(server, "spiffe://cluster.local/ns/vm/sa/vm1");
    }

    for (const means of THOROUGH ? (["token", "certificates"] as const) : (["token"] as const)) {
      describe(`with ${means}`, () => {
        before(async function () {
          this.timeout(120_000);
          host = mesh.host("vm1");
          await host.reset();
          await joinByHand(host, guideOf(host, means));
          state = adopted(host.commands.state);
          was = await snapshotBeside(host);
        });

        it("serves the mesh", () => assertHandMade());

        it("is refused unless it is to be taken over, and nothing of it is touched", async () => {
          const sidecar = await host.sh(SIDECAR);
          const { exitCode, output } = await host.join();
          assert.equal(exitCode, 3, output);
          assert.match(output, /IVM702 .*or set adopt: true on the host/);
          assert.match(output, /IVM715 .* 192\.0\.2\.1: remove that line/);
          assert.equal(await host.sh(SIDECAR), sidecar);
          assert.deepEqual(differences(was, await snapshotBeside(host)), []);
        });

        it("goes on undisturbed when the join fails before it comes to the sidecar", async () => {
          const sidecar = await host.sh(SIDECAR);
          const { exitCode, output } = await host.join({
            state: state.replace(/^package deb amd64 \S+/m, "package deb amd64 0123"),
          });
          assert.equal(exitCode, 3, output);
          assert.match(output, /SHA-256/);
          assert.match(output, /its own sidecar runs as before/);
          assert.equal(await host.sh(SIDECAR), sidecar);
          assert.deepEqual(differences(was, await snapshotBeside(host)), []);
        });

        it("is as it was, and serves, after a join that fails", async () => {
          const { exitCode, output } = await host.join({
            state: `${state}\nsidecar.env CA_ADDR=192.0.2.1:15012`,
            bundle: withTimes(host.bundle, { ready: 10 }),
          });
          assert.equal(exitCode, 3, output);
          assert.match(output, /its own sidecar runs again/);
          await assertHandMade();
        });

        it("is taken over and given back without a failed request", async () => {
          const requests = await loadDuring(async () => {
            await host.mustJoin({ state });
            await host.mustLeave();
          });
          const failed = requests.filter(({ status }) => status !== 200);
          assert.ok(requests.length > 50);
          assert.deepEqual(failed, []);
          await assertHandMade();
        });

        it("has what the stack says, and nothing of what contradicts it, until it leaves", async () => {
          await host.mustJoin({ state });
          assert.equal((await askFromPod()).server, "spiffe://cluster.local/ns/vm/sa/vm1");
          assert.doesNotMatch(await host.sh("dpkg-query -W istio-sidecar"), /\+2$/m);
          assert.equal(await host.sh("cat /etc/istio/config/mesh; systemctl is-enabled istio"), "enabled\n");
          assert.match(await host.sh("cat /etc/hosts"), /^# set aside by istio-vm: 192\.0\.2\.1\tistiod/m);
          assert.doesNotMatch(await host.rules(), /15053/, "it still asks for names through the sidecar");
          // What was taken over stays so, though the configuration says it no more; what the operator does stays as well.
          await host.sh("sed -i 's/^127.0.0.1.*/& meanwhile/' /etc/hosts");
          await host.mustJoin();
          await host.mustLeave();
          await host.sh("sed -i 's/ meanwhile$//' /etc/hosts");
          const hosts = was.get("/etc/hosts")!;
          const time = / [^ ]+$/;
          assert.equal((await host.snapshot()).get("/etc/hosts")!.replace(time, ""), hosts.replace(time, ""));
          await host.sh(`touch -d '${time.exec(hosts)![0]}' /etc/hosts`);
          await assertHandMade();
        });

        it("comes back by itself when nobody confirms", async () => {
          const { exitCode, output } = await host.join({
            state,
            confirm: false,
            bundle: withTimes(host.bundle, { confirm: 9 }),
          });
          assert.equal(exitCode, 3, output);
          assert.match(output, /no fresh SSH session could be had/);
          await assertHandMade();
        });
      });
    }
  });
}
