import assert from "node:assert/strict";
import { labelsFor, selects } from "../../../mesh/labelSelector";

const byLabel = [{ matchLabels: { mesh: "yes" } }];
const byName = [{ matchLabels: { "kubernetes.io/metadata.name": "vm" } }];
const notOps = [{ matchExpressions: [{ key: "team", operator: "NotIn" as const, values: ["ops"] }] }];
const anyTeam = [{ matchExpressions: [{ key: "team", operator: "Exists" as const }] }];
const both = [
  {
    matchLabels: { mesh: "yes" },
    matchExpressions: [
      { key: "stage", operator: "In" as const, values: ["prod"] },
      { key: "old", operator: "DoesNotExist" as const },
    ],
  },
];

describe("the namespaces that istiod looks at", () => {
  it("are all, where there are no selectors", () => assert.equal(selects([], "vm", {}), true));

  for (const [selectors, labels, taken] of [
    [byLabel, {}, false],
    [byLabel, { mesh: "no" }, false],
    [byLabel, { mesh: "yes", more: "x" }, true],
    [byName, {}, true],
    [notOps, {}, true],
    [notOps, { team: "ops" }, false],
    [anyTeam, {}, false],
    [anyTeam, { team: "" }, true],
    [both, { mesh: "yes", stage: "prod" }, true],
    [both, { mesh: "yes" }, false],
    [both, { mesh: "yes", stage: "prod", old: "" }, false],
    [[...byLabel, ...anyTeam], { team: "a" }, true],
  ] as const) {
    it(`${JSON.stringify(selectors)}: ${JSON.stringify(labels)} is ${taken ? "" : "not "}among them`, () =>
      assert.equal(selects([...selectors], "vm", labels), taken));
  }
});

describe("the labels of a namespace that shall be among them", () => {
  for (const [selectors, labels] of [
    [[], {}],
    [byLabel, { mesh: "yes" }],
    [byName, {}],
    [notOps, {}],
    [anyTeam, undefined],
    [both, undefined],
    [[...anyTeam, ...byLabel], { mesh: "yes" }],
    [[{ matchLabels: { "kubernetes.io/metadata.name": "other" } }], undefined],
  ] as const) {
    it(`${JSON.stringify(selectors)}: ${JSON.stringify(labels)}`, () =>
      assert.deepEqual(labelsFor([...selectors], "vm"), labels));
  }
});
