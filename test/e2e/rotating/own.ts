/** From a CA of the stack's making to one of the user's own, and from that to another. */
import assert from "node:assert/strict";
import { watchArguments } from "../../support/arguments";
import { providedName } from "../../../mesh/rotation";
import { operatorSpecOf, type StackConfig, withOperatorSpec } from "../../support/testStack";
import { THOROUGH } from "../../host/times";
import { kubectl } from "../mesh";
import { makeAuthority, type OwnAuthority } from "./ownAuthority";
import type { Site } from "./site";

/** Two istiods from now on, which need little. */
function withTwoIstiods(config: StackConfig): StackConfig {
  const { values, ...spec } = operatorSpecOf(config) as { values: { pilot: object } };
  const resources = { requests: { cpu: "50m", memory: "128Mi" } };
  const pilot = { ...values.pilot, autoscaleEnabled: false, replicaCount: 2, resources };
  return withOperatorSpec(config, { ...spec, values: { ...values, pilot } });
}

const readyIstiods = () =>
  kubectl("get", "deployment", "istiod", "--namespace=istio-system", "--output=jsonpath={.status.readyReplicas}");

/** @returns the one that the mesh has in the end */
export function own(site: Site): () => OwnAuthority {
  let current: OwnAuthority;

  /** One takes the place of the mesh's, whichever that is. */
  async function replace(next: OwnAuthority): Promise<void> {
    const [from, to] = [providedName(await site.secretOf("ca-cert.pem")), providedName(next.certificates.caCert)];
    const [old, servers] = [await site.sentIdentity("vm1"), await site.servers()];
    await site.allAnswer(servers, old, "200");
    site.keys.add(next.key).add(next.rootKey);
    await site.stack.setSecret("caKey", next.key);
    site.configure({ provided: { ...next.certificates, caKey: { secret: "caKey" } } }, withTwoIstiods);
    await site.unnoticed(next.name, async () => {
      await site.up();
      assert.equal(await site.authorities(), `${from} of ${from} ${to}`);
      await site.upWithoutIstiod(1);
      assert.equal(await site.authorities(), `${to} of ${from} ${to}`);
      assert.equal(await readyIstiods(), "2");
      // Until the end it is believed by all.
      await site.allAnswer(servers, old, "200");
      await site.up();
      assert.equal(await site.authorities(), `${to} of ${to}`);
    });
    current = next;
    await site.allAnswer(servers, old, "refused");
    await site.allAnswer(servers, await site.sentIdentity("vm1"), "200");
    await site.stack.succeed(["preview", "--expect-no-changes"]);
  }

  describe("of the user's own, with two istiods", () => {
    before(async function () {
      this.timeout(300_000);
      site.configure(undefined, withTwoIstiods);
      await site.up();
      assert.equal(await readyIstiods(), "2");
    });

    it("takes the place of one that the stack made, with one istiod that dies in the middle", async function () {
      this.timeout(900_000);
      const first = await makeAuthority("one's own", "EC:prime256v1");
      for (const line of await watchArguments(() => replace(first))) site.arguments.add(line);
    });

    // A variant of the same: make test-faults.
    if (THOROUGH) {
      it("takes the place of another, of another kind", async function () {
        this.timeout(900_000);
        await replace(await makeAuthority("another of one's own", "RSA:2048"));
      });
    }
  });
  return () => current;
}
