import assert from "node:assert/strict";
import { installIstio, uninstallIstio } from "../../lab/istio";
import { SERVICE_URL, untilPodSees } from "../e2e/mesh";
import { untilSettled } from "../support/clusterSnapshot";
import type { Example } from "./example";

/** An Istio by plain `istioctl install`, which a host joins. */
export const existingMesh: Example = {
  vms: ["vm1"],
  async prepare(lab) {
    await installIstio(lab);
    await untilSettled();
  },
  async show() {
    const { page, server, client } = await untilPodSees(
      "the host's answer by mutual TLS",
      (answer) => answer.server !== undefined,
    );
    assert.match(page, /^This is vm1\./);
    return [[`pod: curl ${SERVICE_URL}`, `${page.split("\n")[0]} ${server} was asked by ${client}`]];
  },
  end: uninstallIstio,
};
