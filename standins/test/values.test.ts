import assert from "node:assert/strict";
import { diffPaths, topLevel } from "../diff";
import { checkInputs } from "../inputs";
import { fromStruct, hasSecret, likeSecrets, plain, secret, toStruct, UNKNOWN } from "../values";

describe("stand-ins: values", () => {
  it("unwraps nested secrets", () => {
    assert.deepEqual(plain({ a: secret({ b: [secret(1)] }), c: secret(secret("x")) }), { a: { b: [1] }, c: "x" });
  });

  it("marks in outputs what is secret in inputs, at the same place", () => {
    const inputs = {
      triggers: ["1", secret("s")],
      env: { A: secret("s"), B: "b" },
      list: [secret("s")],
      missing: secret(1),
    };
    const outputs = { triggers: ["1", "s"], env: { A: "s", B: "b", C: "c" }, list: ["s", "more"], extra: "e" };
    assert.deepEqual(likeSecrets(outputs, inputs), {
      triggers: ["1", secret("s")],
      env: { A: secret("s"), B: "b", C: "c" },
      list: secret(["s", "more"]), // The place of the secret is not certain any more.
      extra: "e",
    });
    assert.deepEqual(likeSecrets({ a: "text" }, { a: { b: secret("text") } }), { a: secret("text") });
    assert.deepEqual(likeSecrets({ a: secret("x") }, { a: "x" }), { a: secret("x") });
  });

  it("carries values through protobuf, without undefined properties", () => {
    const value = { s: "x", n: 1.5, b: false, nothing: null, list: [{ a: 1 }], secret: secret("x"), unknown: UNKNOWN };
    assert.deepEqual(fromStruct(toStruct({ ...value, gone: undefined })), value);
    assert.ok(hasSecret(fromStruct(toStruct(value))));
  });
});

describe("stand-ins: diff", () => {
  it("gives deep Pulumi property paths", () => {
    const changes = diffPaths(
      { spec: { ports: [{ name: "http", port: 80 }] }, metadata: { labels: { "a.b/c": "1", plain: "1" } }, same: [1] },
      { spec: { ports: [{ name: "web", port: 80 }, { port: 1 }] }, metadata: { labels: { "a.b/c": "2" } }, same: [1] },
    );
    assert.deepEqual(
      [...changes],
      [
        ["spec.ports[0].name", "UPDATE"],
        ["spec.ports[1]", "ADD"],
        ['metadata.labels["a.b/c"]', "UPDATE"],
        ["metadata.labels.plain", "DELETE"],
      ],
    );
  });

  it("looks through secrets, and takes undefined for absent", () => {
    assert.deepEqual(
      [...diffPaths({ a: secret({ b: 1 }), c: undefined }, { a: { b: secret(2) } })],
      [["a.b", "UPDATE"]],
    );
    assert.deepEqual([...diffPaths({ a: [1] }, { a: UNKNOWN })], [["a", "UPDATE"]]);
    assert.deepEqual([...diffPaths({ a: 1 }, { a: "1" })], [["a", "UPDATE"]]);
  });

  it("finds the property that a path is in", () => {
    assert.equal(topLevel('metadata["x.y"].z'), "metadata");
    assert.equal(topLevel("ports[0]"), "ports");
    assert.equal(topLevel("name"), "name");
  });
});

describe("stand-ins: inputs", () => {
  const fields = {
    fields: { name: "string", ports: { items: "integer" }, mode: ["a", "b"], off: [false] },
    required: ["name"],
  } as const;
  const failures = (news: Record<string, unknown>): string[] => {
    try {
      checkInputs(news, fields);
      return [];
    } catch (error) {
      return (error as { failures: { property: string }[] }).failures.map(({ property }) => property);
    }
  };

  it("accepts secrets and unknowns of any type", () => {
    assert.deepEqual(failures({ name: secret(UNKNOWN), ports: [UNKNOWN, secret(1)], mode: "a", off: false }), []);
  });

  it("refuses what is missing, of the wrong type or not known, without showing values", () => {
    assert.deepEqual(failures({ ports: [1, "x"], mode: "c", off: true, other: 1 }), [
      "ports[1]",
      "mode",
      "off",
      "other",
      "name",
    ]);
    assert.throws(
      () => checkInputs({ name: secret(12345) }, fields),
      (error: Error) => !/12345/.test(error.message),
    );
  });
});
