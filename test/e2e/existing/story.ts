/** A stack's life on a mesh that was there before it, and that goes on after it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { leaderOf } from "../../../lab/cgroups";
import { installIstio, uninstallIstio } from "../../../lab/istio";
import { node } from "../../../lab/paths";
import { run, until } from "../../../lab/run";
import { resetVm } from "../../../lab/vm";
import { snapshotCluster, untilSettled } from "../../support/clusterSnapshot";
import type { Snapshot } from "../../support/snapshot";
import { labConfig, type StackConfig } from "../../support/testStack";
import { snapshotVm } from "../../support/vmSnapshot";
import { kubectl } from "../mesh";
import { Story } from "../story";
import { Cloud } from "./cloud";
import { answeringNodePorts } from "./nodePorts";
import { limitedKubeconfig, removeLimitedUser } from "./rights";

export const NODE_ADDRESSES = [node.second, node.address];
/** A revision of Istio beside the one without a name, and what its owners call it. */
export const CANARY = { revision: "canary", tag: "prod" };
export const INGRESS = { service: "istio-ingressgateway", namespace: "istio-system" };

/** What the tutorial's stack says of a mesh that is there: that, and nothing of it. */
export function existingConfig(more: StackConfig = {}): StackConfig {
  return {
    ...labConfig(),
    controlPlane: { existing: {} },
    exposure: { type: "NodePort", nodeAddresses: NODE_ADDRESSES },
    ...more,
  };
}

export class ExistingStory extends Story {
  readonly cloud = new Cloud();
  /** Node ports that answered before anything. */
  nodePorts: number[] = [];
  /** The cluster without Istio. */
  private without: Snapshot = new Map();

  override async begin(): Promise<void> {
    this.without = await snapshotCluster();
    await Promise.all([this.installMesh(), resetVm(this.lab, "vm1")]);
    this.config = existingConfig({ cluster: { kubeconfig: await limitedKubeconfig(this.folder) } });
    // sudo leaves a file in the home folder of a user who may use it and does so for the first time.
    await this.inVm("vm1", "runuser", "--user=admin", "sudo", "true");
    this.before.cluster = await snapshotCluster();
    this.before.vm1 = await snapshotVm(this.lab, "vm1");
    this.nodePorts = await answeringNodePorts(node.address);
    await this.stack.init(this.config);
    this.hasBegun = true;
  }

  /** What somebody else did, long before: a gateway that a cloud gave a name, and a second revision with a tag. */
  private async installMesh(): Promise<void> {
    await this.cloud.begin();
    await installIstio(this.lab);
    this.cloud.give(INGRESS.namespace, INGRESS.service, "hostname");
    await installIstio(this.lab, "profile=minimal", `revision=${CANARY.revision}`);
    await run(["istioctl", "tag", "set", CANARY.tag, `--revision=${CANARY.revision}`]);
    await untilSettled();
    await until("the ingress gateway's name", 10, async () =>
      (await kubectl("get", "service", INGRESS.service, `--namespace=${INGRESS.namespace}`)).includes(this.cloud.name),
    );
  }

  /** Takes the mesh back as well. @returns the cluster without Istio, as it was before */
  async removeMesh(): Promise<Snapshot> {
    await uninstallIstio(this.lab);
    await this.cloud.end();
    await removeLimitedUser();
    return this.without;
  }

  /**
   * Runs `npx istio-vm` as a person does who may look at the whole cluster. @throws with what it said, if it finds anything
   * wrong
   */
  async cli(...args: string[]): Promise<string> {
    this.stack.configure({ ...this.config, cluster: labConfig().cluster as object });
    try {
      return await run(["npx", "--no-install", "istio-vm", ...args], { cwd: this.stack.folder, env: this.stack.env });
    } finally {
      this.stack.configure(this.config);
    }
  }

  /** In the node's network. */
  ofNode(...argv: string[]): Promise<string> {
    return run(["nsenter", `--target=${leaderOf(this.lab, "node")}`, "--net", "--", ...argv]);
  }

  /** What a file of vm1 says. */
  fileOfVm(path: string): string {
    return readFileSync(join(`/proc/${leaderOf(this.lab, "vm1")}/root`, path), "utf8");
  }

  /** Where vm1's agent has its connections to istiod, as `address:port`. */
  async istiodOfVm(): Promise<string[]> {
    const connections = await this.inVm("vm1", "ss", "-Htnp", "state", "established");
    const peers = connections
      .split("\n")
      .filter((line) => line.includes("pilot-agent"))
      .map((line) => line.trim().split(/\s+/)[3]!)
      .filter((peer) => !peer.includes("127.0.0."));
    return [...new Set(peers)].sort();
  }
}
