import assert from "node:assert/strict";
import { join } from "node:path";
import { watchArguments } from "../../support/arguments";
import { parseUrn, readOperations, type Operation } from "../engineEvents";
import type { Story } from "../story";

/** The tutorial's order: everything of one step is done before anything of the next begins. */
const ORDERS = [
  [
    "CertificateAuthority",
    "CaCertsSecret",
    "IstioControlPlane",
    "ControlPlaneExposure",
    "WorkloadIdentity",
    "MeshHost",
    "ServiceMembership",
  ],
  // What the mesh knows of a host and its services, before it joins.
  ["IstioControlPlane", "ExternalService", "MeshWorkload", "MeshHost"],
];

export function firstUp(story: Story): void {
  describe("the first up", () => {
    let operations: Operation[];

    before(async () => {
      const log = join(story.folder, "first-up.log");
      const seen = await watchArguments(() => story.bring(story.config, `--event-log=${log}`));
      for (const line of seen) story.arguments.add(line);
      operations = readOperations(log);
    });

    it("creates everything, and nothing else", () => {
      const unexpected = operations.filter(({ op }) => op !== "create").map(({ op, urn }) => `${op} ${urn}`);
      assert.deepEqual(unexpected, []);
    });

    const steps = ORDERS.flatMap((order) => order.slice(1).map((next, index) => [order[index]!, next] as const));
    for (const [step, next] of steps) {
      it(`is done with ${step} before it begins with ${next}`, () => {
        const last = Math.max(...of(step).map(({ ended }) => ended));
        const early = of(next).filter(({ began }) => began < last);
        assert.deepEqual(
          early.map(({ urn }) => parseUrn(urn).name),
          [],
        );
      });
    }

    function of(component: string): Operation[] {
      const found = operations.filter(({ urn }) => parseUrn(urn).component === component);
      assert.ok(found.length > 0, `the event log has nothing of ${component}`);
      return found;
    }
  });
}
