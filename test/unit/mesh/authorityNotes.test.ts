import assert from "node:assert/strict";
import { AUTHORITY_ANNOTATIONS, authorityAnnotations, keysWith, readNotes } from "../../../mesh/authorityNotes";
import { keyDigest } from "../../../mesh/rotation";
import { authority, certificate } from "../support";

describe("what the secret says of the mesh's authorities", () => {
  let pems: { rootCert: string; caCert: string };
  before(async () => {
    pems = { rootCert: "roots", caCert: await certificate({ ca: true }) };
  });

  for (const [what, notes] of [
    ["one", { known: ["1.1"], signer: "1.1", keys: { "1.1": "aa" } }],
    ["two, one of them without its key", { known: ["1.1", "key-bb"], signer: "1.1", keys: { "key-bb": "bb" } }],
    [
      "three, in their order",
      { known: ["3.1", "1.2", "2.1"], signer: "1.2", keys: { "3.1": "a", "1.2": "b", "2.1": "c" } },
    ],
  ] as const) {
    it(`is read as it was written: ${what}`, () => {
      const annotations = authorityAnnotations({ ...notes, known: [...notes.known] });
      assert.deepEqual(Object.keys(annotations), AUTHORITY_ANNOTATIONS);
      assert.deepEqual(readNotes(annotations, pems, true), { ...notes, ...pems });
    });
  }

  it("has no key of one that is not known any more", () => {
    const annotations = authorityAnnotations({ known: ["2.1"], signer: "2.1", keys: { "1.1": "aa", "2.1": "bb" } });
    assert.deepEqual(Object.values(annotations), ["2.1=bb", "2.1"]);
  });

  it("has the key of each certificate that is at hand, and refuses another one by a name that is known", async () => {
    const { certificate: other } = await authority();
    const made: [string, string][] = [
      ["1.1", pems.caCert],
      ["2.1", other],
    ];
    const keys = { "1.1": keyDigest(pems.caCert), "2.1": keyDigest(other) };
    assert.deepEqual(keysWith(undefined, made, "2.1"), keys);
    assert.deepEqual(keysWith({ "key-aa": "aa", ...keys }, made, "2.1"), { "key-aa": "aa", ...keys });
    const refused = (name: string, wanted: string) => () => keysWith({ ...keys, [name]: "else" }, made, wanted);
    assert.throws(refused("2.1", "2.1"), /knows another CA as 2\.1: choose a higher number for ca\.root$/);
    assert.throws(refused("1.1", "2.1"), /knows another CA as 1\.1: pulumi up with that one before it is replaced$/);
  });

  it("is one authority where an older version wrote nothing", () => {
    const digest = keyDigest(pems.caCert);
    const only = (name: string) => ({ known: [name], signer: name, keys: { [name]: digest }, ...pems });
    assert.deepEqual(readNotes({}, pems, true), only("1.1"));
    assert.deepEqual(readNotes({}, pems, false), only(`key-${digest}`));
  });

  it("does not call by its number one that this stack does not make any more: that number may come again", () => {
    const annotations = authorityAnnotations({
      known: ["1.1", "2.1", "key-cc"],
      signer: "2.1",
      keys: { "1.1": "aa", "2.1": "bb", "key-cc": "cc" },
    });
    const { known, signer, keys } = readNotes(annotations, pems, false);
    assert.deepEqual(known, ["key-aa", "key-bb", "key-cc"]);
    assert.equal(signer, "key-bb");
    assert.deepEqual(keys, { "key-aa": "aa", "key-bb": "bb", "key-cc": "cc" });
  });
});
