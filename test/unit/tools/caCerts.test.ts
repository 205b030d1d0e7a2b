import assert from "node:assert/strict";
import { CommandError } from "../../../tools/command";
import { readAuthorities, readCaCerts } from "../../../tools/caCerts";
import { keyDigest } from "../../../mesh/rotation";
import { certificate } from "../support";
import { rotatingMesh } from "./rotatingMesh";

describe("the secret cacerts", () => {
  const files = { rootCert: "root\n", caCert: "ca\n", certChain: "chain\n", lists: "lists" };
  const notes = { known: ["1.1", "2.1"], signer: "2.1", keys: { "1.1": "aa" } };

  it("is asked for its certificates and marks only, never for the key", async () => {
    const asked: string[] = [];
    await readCaCerts(rotatingMesh({}, asked));
    assert.equal(asked.length, 1);
    const [, template] = / --output go-template=(.*)$/.exec(asked[0]!) ?? assert.fail(asked[0]);
    assert.doesNotMatch(template!, /key/);
    // Each file by its name: none of them all.
    const data = [...template!.matchAll(/\.data(.{18})/g)].map(([, rest]) => rest);
    assert.deepEqual(
      data,
      [' "root-cert.pem" | ', ' "ca-cert.pem" | ba', ' "cert-chain.pem" |', ' "ca-crl.pem"}}{{b'].map((each) =>
        each.slice(0, 18),
      ),
    );
  });

  it("is read with what is noted on it, byte for byte", async () => {
    const found = await readCaCerts(rotatingMesh({ cacerts: { ...files, owner: "me", notes } }));
    const annotations = { "pulumi-istio-vm/authorities": "1.1=aa 2.1", "pulumi-istio-vm/signer": "2.1" };
    assert.deepEqual(found, { ...files, owner: "me", annotations });
  });

  it("is read where nothing is noted on it, nor whose it is", async () => {
    const nothing = { ...files, owner: undefined, annotations: {} };
    assert.deepEqual(await readCaCerts(rotatingMesh({ cacerts: files })), nothing);
    assert.deepEqual(await readCaCerts(rotatingMesh({ cacerts: { ...files, owner: "me" } })), {
      ...nothing,
      owner: "me",
    });
    // Where others have put labels and annotations of theirs.
    const none = [...Array<string>(3).fill("<no value>"), "end"].join("\n--\n");
    const text = `root\n\n--\nca\n\n--\nchain\n\n--\n\n--\n${none}`;
    assert.deepEqual(await readCaCerts(() => Promise.resolve(text)), { ...nothing, lists: undefined });
    assert.equal(await readCaCerts(() => Promise.resolve("\n")), undefined);
  });

  it("says which authorities there are, if it is a stack's", async () => {
    const caCert = await certificate({ ca: true });
    const cacerts = { ...files, caCert, owner: "me" };
    const { rootCert, lists } = files;
    assert.deepEqual(await readAuthorities(rotatingMesh({ cacerts: { ...cacerts, notes } }), true), {
      ...notes,
      ...{ rootCert, caCert, lists },
    });
    const digest = keyDigest(caCert);
    const only = { known: ["1.1"], signer: "1.1", keys: { "1.1": digest }, rootCert, caCert, lists };
    assert.deepEqual(await readAuthorities(rotatingMesh({ cacerts }), true), only);
    assert.equal((await readAuthorities(rotatingMesh({ cacerts }), false))?.signer, `key-${digest}`);
    assert.equal(await readAuthorities(rotatingMesh({ cacerts: { ...cacerts, owner: undefined } }), true), undefined);
    assert.equal(await readAuthorities(rotatingMesh({}), true), undefined);
  });

  it("is not taken as absent where the cluster does not answer", async () => {
    const refused = new CommandError("kubectl", [], "connection refused", false);
    await assert.rejects(
      readAuthorities(() => Promise.reject(refused), true),
      refused,
    );
  });
});
