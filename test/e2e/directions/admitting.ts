import assert from "node:assert/strict";
import { until } from "../../../lab/run";
import { apply, kubectl } from "../mesh";
import { type Places, SPOKEN } from "./places";

/** Does `work` while the workloads with this label take nobody in but one. */
export async function admittingOnly(namespace: string, app: string, as: string, work: () => Promise<void>) {
  await apply({
    apiVersion: "security.istio.io/v1",
    kind: "AuthorizationPolicy",
    metadata: { name: "only", namespace },
    spec: {
      selector: { matchLabels: { app } },
      action: "ALLOW",
      rules: [{ from: [{ source: { principals: [as] } }] }],
    },
  });
  try {
    await work();
  } finally {
    await kubectl("delete", "authorizationpolicy", "only", `--namespace=${namespace}`);
  }
}

/** Policies by the identities of hosts and pods, at hosts and pods. */
export function admitting(places: Places) {
  for (const [namespace, app, as, host, admitted, refused] of [
    ["vm", "vm1", "cluster.local/ns/default/sa/pod", "echo-vm1.vm", "pod", "vm2"],
    ["default", "pod", "cluster.local/ns/vm/sa/vm1", "pod.default", "vm1", "vm2"],
    ["vm", "vm2", "cluster.local/ns/vm/sa/vm1", "echo-vm2.vm", "vm1", "pod"],
  ] as const) {
    it(`a policy that lets ${admitted} alone to ${app} refuses ${refused}: HTTP, and TCP where the server speaks first`, () =>
      admittingOnly(namespace, app, as, async () => {
        const http = SPOKEN["HTTP/1.1"];
        const tcp = SPOKEN["TCP, server first"];
        await until(`${refused} to be refused`, 20, async () => {
          return (await places.ask(refused, http, host)).status === "403";
        });
        const { hostname, said } = await places.ask(refused, tcp, host);
        assert.equal(hostname, undefined, said);
        for (const spoken of [http, tcp]) {
          const answer = await places.ask(admitted, spoken, host);
          assert.equal(answer.hostname, app, answer.said);
        }
      }));
  }
}
