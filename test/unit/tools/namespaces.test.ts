import assert from "node:assert/strict";
import type { Config } from "../../../config";
import type { LabelSelector } from "../../../mesh/labelSelector";
import { namespacesToMake } from "../../../tools/namespaces";

describe("the namespaces that a stack makes", () => {
  const config = {
    hosts: [{ namespace: "vm" }, { namespace: "vm" }, { namespace: "theirs" }],
    services: [{ namespace: "vm" }],
    sampleClient: { namespace: "try" },
    exposure: { type: "EastWestGateway", namespace: "istio-vm" },
    cluster: { existingNamespaces: ["theirs", "default"] },
  } as unknown as Config;
  const make = async (selectors: LabelSelector[][], theirLabels = {}) => {
    const problems: string[] = [];
    let asked = 0;
    const kubectl = () => {
      asked += 1;
      return Promise.resolve(JSON.stringify({ items: [{ metadata: { name: "theirs", labels: theirLabels } }] }));
    };
    const made = await namespacesToMake(config, selectors, problems, kubectl);
    return { made: made.map(({ name, labels }) => [name, labels]), problems, asked };
  };

  it("are those that it uses and that are not there, each once; nobody is asked where istiod looks at all", async () => {
    const names = ["vm", "try", "istio-vm"].map((name) => [name, {}]);
    assert.deepEqual(await make([[], []]), { made: names, problems: [], asked: 0 });
  });

  it("have the labels by which each istiod looks at them", async () => {
    const selectors = [[{ matchLabels: { mesh: "yes" } }], [{ matchLabels: { canary: "1" } }]];
    const { made, problems } = await make(selectors, { mesh: "yes", canary: "1" });
    assert.deepEqual(made[0], ["vm", { mesh: "yes", canary: "1" }]);
    assert.deepEqual(problems, []);
  });

  it("are refused where two istiods want what can't be both", async () => {
    const { problems } = await make([[{ matchLabels: { mesh: "a" } }], [{ matchLabels: { mesh: "b" } }]], {
      mesh: "b",
    });
    assert.equal(problems.length, 4);
  });

  it("and those that are there are refused where an istiod would not look at them", async () => {
    const { problems } = await make([[{ matchExpressions: [{ key: "team", operator: "Exists" }] }]]);
    assert.deepEqual(
      problems.map((problem) => problem.split(":")[0]),
      ["namespace theirs", "namespace vm", "namespace try", "namespace istio-vm"],
    );
    assert.match(problems[0]!, /discoverySelectors\): give it their labels$/);
    assert.match(problems[1]!, /make it with their labels, and add it to cluster\.existingNamespaces$/);
  });
});
