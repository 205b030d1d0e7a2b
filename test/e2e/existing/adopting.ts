import assert from "node:assert/strict";
import { run } from "../../../lab/run";
import { resetVm } from "../../../lab/vm";
import { joinByHand, type Machine, snapshotBeside, untilReady } from "../../host/handMade";
import { becomesSame, type Snapshot } from "../../support/snapshot";
import { snapshotVm } from "../../support/vmSnapshot";
import { apply, kubectl, untilPodSees } from "../mesh";
import { assertInSync } from "../steps/serving";
import { dialsByName, GATEWAY } from "./exposing";
import { serves } from "./joining";
import type { ExistingStory } from "./story";

/** What somebody else made before: a way to istiod, and a host that came by it. */
export class HandMade {
  readonly host: Machine;
  before: Snapshot = new Map();

  constructor(private readonly story: ExistingStory) {
    this.host = {
      name: "vm2",
      sh: (script) => story.inVm("vm2", "sh", "-euc", script),
      snapshot: () => snapshotVm(story.lab, "vm2"),
    };
  }

  /** A Service by which the cloud's address leads to istiod, as it were. */
  async makeWay(): Promise<void> {
    const istiod = await kubectl(
      ...["get", "pods", "--namespace=istio-system", "--selector=app=istiod,istio.io/rev=default"],
      "--output=jsonpath={.items[0].status.podIP}",
    );
    const metadata = { name: "theirs", namespace: "cloud" };
    const ports = [{ name: "istiod", port: 15012 }];
    await apply(
      { apiVersion: "v1", kind: "Service", metadata, spec: { type: "LoadBalancer", ports } },
      {
        apiVersion: "discovery.k8s.io/v1",
        kind: "EndpointSlice",
        metadata: { ...metadata, labels: { "kubernetes.io/service-name": metadata.name } },
        addressType: "IPv4",
        endpoints: [{ addresses: [istiod] }],
        ports,
      },
    );
    this.story.cloud.give(metadata.namespace, metadata.name, "hostname");
  }

  /** By Istio's own guide. */
  async join(): Promise<void> {
    const { lab, cloud } = this.story;
    await resetVm(lab, "vm2");
    await this.host.sh("runuser --user=admin sudo true");
    await kubectl("create", "serviceaccount", "byhand", "--namespace=default");
    const rootCert = await kubectl(
      ...["get", "configmap", "istio-ca-root-cert", "--namespace=default"],
      "--output=jsonpath={.data.root-cert\\.pem}",
    );
    const istiod = { address: cloud.address, port: 15012 };
    await joinByHand(this.host, { istiod, rootCert, namespace: "default", serviceAccount: "byhand" });
    this.before = await snapshotBeside(this.host);
  }

  /** Nothing of it is left. */
  async end(): Promise<void> {
    await resetVm(this.story.lab, "vm2");
    await kubectl("delete", "serviceaccount", "byhand", "--namespace=default", "--ignore-not-found");
    await kubectl("delete", "service,endpointslice", "theirs", "--namespace=cloud", "--ignore-not-found");
  }

  /** Its own sidecar serves, and all else is as it was. */
  async assertGivenBack(): Promise<void> {
    await untilReady(this.host);
    await becomesSame(this.before, () => snapshotBeside(this.host), this.host.name, 20);
    assertInSync(await run(["istioctl", "proxy-status"]), "vm2.default");
  }
}

export function exposingAsTold(story: ExistingStory, made: HandMade): void {
  describe("through what somebody else made", () => {
    before(async () => {
      await made.makeWay();
      await story.bring({ ...story.config, exposure: { type: "Address", address: story.cloud.name } });
    });

    it("serves, by that name, and makes nothing of its own for it", async () => {
      await serves(story, [`${story.cloud.address}:15012`]);
      dialsByName(story, story.cloud.name);
      assert.equal(await kubectl("get", "namespace", GATEWAY.namespace, "--ignore-not-found"), "");
    });

    describe("by which a host was joined by hand", () => {
      before(() => made.join());

      it("takes it over, with the identity that it had", async () => {
        const host = { namespace: "default", serviceAccount: "byhand", labels: { app: "byhand" }, adopt: true };
        const service = { name: "byhand", namespace: "default", hosts: ["vm2"], ports: [{ port: 8080 }] };
        const { hosts, services } = story.config as Record<string, object[]>;
        await story.bring({
          ...story.config,
          hosts: [...hosts!, story.host("vm2", host)],
          services: [...services!, service],
        });
        const id = "spiffe://cluster.local/ns/default/sa/byhand";
        const url = "http://byhand.default.svc.cluster.local:8080";
        const { page } = await untilPodSees("vm2's page", ({ server }) => server === id, url);
        assert.match(page, /^This is vm2\./);
      });
    });
  });
}
