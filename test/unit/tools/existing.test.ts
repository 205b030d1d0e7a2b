import assert from "node:assert/strict";
import type { Config } from "../../../config";
import { readExistingMesh } from "../../../tools/existing";
import { CommandError } from "../../../tools/command";
import type { Kubectl } from "../../../tools/kubectl";
import { meshKubectl } from "../existingMesh";

type Wanted = Pick<Config, "controlPlane" | "exposure" | "cluster"> & { hosts: { revision: string }[] };
const wanted = (more: Partial<Wanted> = {}) =>
  ({
    controlPlane: { existing: { revision: "default" } },
    exposure: { type: "NodePort", nodeAddresses: ["192.0.2.1"] },
    cluster: { domain: "cluster.local", existingNamespaces: [] },
    hosts: [{ revision: "default" }],
    ...more,
  }) as unknown as Config;

const LOAD_BALANCER = {
  type: "LoadBalancer",
  gateway: { service: "istio-ingressgateway", namespace: "istio-system" },
} as const;

describe("reading an existing mesh", () => {
  it("finds each revision that is wanted, by its own name or a tag", async () => {
    const hosts = [{ revision: "default" }, { revision: "prod" }];
    const { controlPlanes, gateway } = await readExistingMesh(wanted({ hosts }), meshKubectl());
    assert.deepEqual(
      [...controlPlanes].map(([name, { revision, service }]) => [name, revision, service]),
      [
        ["default", "default", "istiod"],
        ["prod", "canary", "istiod-canary"],
      ],
    );
    assert.equal(gateway, undefined);
  });

  it("finds the ingress gateway, where that is what hosts go through", async () => {
    const { gateway } = await readExistingMesh(wanted({ exposure: LOAD_BALANCER }), meshKubectl());
    assert.equal(gateway?.service, "istio-ingressgateway");
  });

  it("asks nothing where the stack installs its own", async () => {
    const controlPlane = { install: { version: "1.31.0", operator: {}, operatorText: "" } };
    const asked: string[] = [];
    const { controlPlanes } = await readExistingMesh(wanted({ controlPlane }), meshKubectl([], asked));
    assert.equal(controlPlanes.size, 0);
    assert.deepEqual(asked, []);
  });

  it("says everything at once that is not as the configuration has it", async () => {
    const exposure = { type: "LoadBalancer", gateway: { service: "eastwest", namespace: "gateways" } } as const;
    const cluster = { domain: "cluster.local", existingNamespaces: [], trustDomain: "example.org", name: "east" };
    const hosts = [{ revision: "default" }, { revision: "nightly" }];
    const reading = readExistingMesh(wanted({ exposure, cluster, hosts }), meshKubectl());
    const { message } = await reading.then(
      () => assert.fail("it was not refused"),
      (error: Error) => error,
    );
    assert.deepEqual(
      message.split("\n  ").sort(),
      [
        'cluster.name: "east" is not that of revision "default" of Istio in istio-system, "Kubernetes"',
        'cluster.trustDomain: "example.org" is not that of revision "default" of Istio in istio-system, "cluster.local"',
        "exposure.gateway: there is no Service eastwest in gateways",
        message.split("\n  ").at(0),
        'there is no revision or tag "nightly" of Istio: there is default in istio-system, canary in istio-system (tag prod)',
      ].sort(),
    );
    assert.match(message, /the mesh that is there is not as the configuration needs it:/);
  });

  it("says so where there is no Istio, or no cluster", async () => {
    await assert.rejects(readExistingMesh(wanted(), meshKubectl([])), /there is no istiod in the cluster/);
    const unreachable: Kubectl = () => Promise.reject(new CommandError("kubectl", [], "connection refused", false));
    await assert.rejects(readExistingMesh(wanted(), unreachable), /kubectl: connection refused/);
  });
});
