import assert from "node:assert/strict";
import { bridge } from "../../../lab/paths";
import { run } from "../../../lab/run";
import { kubectl, SERVICE_URL, untilPodSees } from "../../e2e/mesh";
import type { Host } from "../host";
import type { Mesh } from "../mesh";

const REQUESTS = 600;
const PAUSE_SECONDS = 0.05;

/** Requests from the pod, one after the other: a line `seconds status` each. */
const LOAD = `for i in $(seq ${REQUESTS}); do
  code=$(curl -s -o /dev/null -w '%{http_code}' --max-time 2 ${SERVICE_URL})
  echo "$(date +%s) $code"
  sleep ${PAUSE_SECONDS}
done`;

const NO_RETRIES = JSON.stringify({
  apiVersion: "networking.istio.io/v1",
  kind: "VirtualService",
  metadata: { name: "host-test-no-retries", namespace: "default" },
  spec: {
    hosts: ["vmhttp.vm.svc.cluster.local"],
    http: [{ retries: { attempts: 0 }, route: [{ destination: { host: "vmhttp.vm.svc.cluster.local" } }] }],
  },
});

export function upgrading(mesh: Mesh): void {
  describe("the package goes up and down a version while a pod sends requests", () => {
    let host: Host;
    let newer: string;
    before(async () => {
      host = mesh.host("vm1");
      await host.reset();
      await host.mustJoin();
      const url = `http://${bridge.address}:8000/istio-sidecar-2.deb`;
      const digest = (await host.sh(`curl -sSf ${url} | sha256sum | cut -d ' ' -f 1`)).trim();
      newer = host.commands.state.replace(/^package .*$/m, `package ${digest} ${url}`);
      await untilPodSees("the host's page", ({ page }) => page.startsWith("This is vm1."));
    });
    after(() => host.mustLeave().then());

    /** Both changes under load; prints how many requests failed, and sees to it that the last ones did not. */
    async function changeUnderLoad(): Promise<void> {
      const load = kubectl("exec", "deploy/sleep", "--container=sleep", "--", "sh", "-c", LOAD);
      await host.mustJoin({ state: newer });
      assert.match(await host.sh("dpkg-query -W istio-sidecar"), /\+2$/m);
      await host.mustJoin();
      assert.doesNotMatch(await host.sh("dpkg-query -W istio-sidecar"), /\+2$/m);
      const answers = (await load)
        .trim()
        .split("\n")
        .map((line) => line.split(" ") as [string, string]);
      const failed = answers.filter(([, code]) => code !== "200");
      const span = Number(answers.at(-1)![0]) - Number(answers[0]![0]);
      console.log(
        `        ${failed.length} of ${answers.length} requests failed in ${span} s: ${failed.map(([, code]) => code).join(" ")}`,
      );
      assert.ok(answers.length === REQUESTS);
      assert.deepEqual(
        answers.slice(-40).filter(([, code]) => code !== "200"),
        [],
        "requests still fail at the end",
      );
    }

    it("with Istio's own retries", () => changeUnderLoad());

    it("without retries", async () => {
      await run(["kubectl", "apply", "--filename=-"], { input: NO_RETRIES });
      try {
        await changeUnderLoad();
      } finally {
        await kubectl("delete", "virtualservice", "host-test-no-retries");
      }
    });
  });
}
