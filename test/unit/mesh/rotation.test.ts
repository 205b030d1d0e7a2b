import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { load } from "js-yaml";
import {
  after,
  type Authorities,
  authorityDigest,
  certificateSet,
  generationName,
  generationOf,
  keyDigest,
  lacking,
  nextStep,
  providedName,
  type ProxyTrust,
  ROTATION_STEPS,
  type RotationStep,
  type Settlement,
  trustConfig,
  trustedRoots,
} from "../../../mesh/rotation";
import { type Issued, issue, ofHost } from "../diagnosis/checks/pki";

const ROOT = "2.1";
const INTERMEDIATE = "1.2";
const first: Authorities = { known: ["1.1"], signer: "1.1" };

/** What updates make of these authorities, until there is no step any more. */
function walk(from: Authorities, wanted: string, until: RotationStep = "retire"): [RotationStep[], Authorities] {
  const steps: RotationStep[] = [];
  let authorities = from;
  for (let step = nextStep(from, wanted, until); step; step = nextStep(authorities, wanted, until)) {
    steps.push(step);
    authorities = after(authorities, step, wanted);
    assert.ok(steps.length < 9, "it never ends");
  }
  return [steps, authorities];
}

describe("the steps to another authority", () => {
  for (const wanted of [ROOT, INTERMEDIATE, "key-0123456789abcdef"]) {
    it(`are prepare, activate, retire: to ${wanted}`, () => {
      const prepared = { known: ["1.1", wanted], signer: "1.1" };
      const active = { known: ["1.1", wanted], signer: wanted };
      assert.deepEqual(after(first, "prepare", wanted), prepared);
      assert.deepEqual(after(prepared, "activate", wanted), active);
      assert.deepEqual(after(active, "retire", wanted), { known: [wanted], signer: wanted });
      assert.deepEqual(walk(first, wanted), [[...ROTATION_STEPS], { known: [wanted], signer: wanted }]);
      for (const [n, until] of ROTATION_STEPS.entries())
        assert.deepEqual(walk(first, wanted, until)[0], ROTATION_STEPS.slice(0, n + 1), until);
    });
  }

  it("are none where it is there alone", () => {
    for (const until of ROTATION_STEPS) assert.equal(nextStep(first, "1.1", until), undefined);
  });

  it("go on where they were stopped, and stop nowhere again", () => {
    const [, prepared] = walk(first, ROOT, "prepare");
    const [, active] = walk(prepared, ROOT, "activate");
    for (const until of ["prepare", "activate"] as const) assert.deepEqual(walk(active, ROOT, until), [[], active]);
    assert.deepEqual(walk(active, ROOT), [["retire"], { known: [ROOT], signer: ROOT }]);
  });

  it("lead back: from prepare with one step, from activate with two, but not beyond what `until` allows", () => {
    const [, prepared] = walk(first, ROOT, "prepare");
    assert.deepEqual(walk(prepared, "1.1"), [["retire"], first]);
    assert.deepEqual(walk(prepared, "1.1", "activate"), [[], prepared]);
    const [, active] = walk(first, ROOT, "activate");
    assert.deepEqual(walk(active, "1.1"), [["activate", "retire"], first]);
    assert.deepEqual(walk(active, "1.1", "prepare"), [[], active]);
  });

  it("take a third one in, and all earlier ones out at once", () => {
    const [, prepared] = walk(first, ROOT, "prepare");
    assert.deepEqual(walk(prepared, "3.1", "activate")[1], { known: ["1.1", ROOT, "3.1"], signer: "3.1" });
    assert.deepEqual(walk(prepared, "3.1")[1], { known: ["3.1"], signer: "3.1" });
  });

  it("know a generation by its name, and nothing else", () => {
    for (const generation of [
      { root: 1, intermediate: 1 },
      { root: 12, intermediate: 9999 },
    ])
      assert.deepEqual(generationOf(generationName(generation)), generation);
    for (const name of ["key-0123456789abcdef", "1", "1.", "1.1.1", "v1.1"])
      assert.equal(generationOf(name), undefined);
  });
});

describe("certificates of authorities", () => {
  let old: Issued, next: Issued, ca: Issued, other: Issued;
  before(async () => {
    old = await issue({ subject: "CN=old", ca: true });
    next = await issue({ subject: "CN=next", ca: true });
    ca = await issue({ subject: "CN=ca", issuer: old, ca: true });
    other = await issue({ subject: "CN=other ca", issuer: next, ca: true });
  });
  const both: Authorities = { known: ["1.1", ROOT], signer: "1.1" };
  /** The same certificates as another text. */
  const otherForm = (pem: string) => `friendlyName: x\r\n${pem.replaceAll("\n", "\r\n")}`;

  it("have the same name as long as the key is the same", async () => {
    const renewed = await issue({ subject: "CN=ca", issuer: old, ca: true, keys: ca.keys, to: "2030-01-01T00:00:00Z" });
    assert.notEqual(renewed.pem, ca.pem);
    assert.equal(keyDigest(renewed.pem), keyDigest(ca.pem));
    assert.match(keyDigest(ca.pem), /^[0-9a-f]{16}$/);
    assert.notEqual(keyDigest(other.pem), keyDigest(ca.pem));
    assert.equal(providedName(renewed.pem), `key-${keyDigest(ca.pem)}`);
  });

  it("are the same set in any order and form", () => {
    assert.deepEqual(certificateSet(next.pem + old.pem), certificateSet(next.pem + old.pem + next.pem));
    const sorted = (pem: string) => [...certificateSet(pem)].sort();
    assert.deepEqual(sorted(old.pem + next.pem), sorted(otherForm(next.pem + old.pem)));
    assert.equal(certificateSet(old.pem + next.pem).size, 2);
    assert.equal(certificateSet("").size, 0);
  });

  it("have a digest of roots and signing key: of a root that is made anew, another", async () => {
    const renewed = await issue({ subject: "CN=ca", issuer: old, ca: true, keys: ca.keys, to: "2030-01-01T00:00:00Z" });
    const digest = authorityDigest(old.pem + next.pem, ca.pem);
    assert.match(digest, /^[0-9a-f]{16}$/);
    assert.equal(authorityDigest(otherForm(next.pem + old.pem), renewed.pem), digest);
    for (const [roots, signer] of [
      [old.pem, ca],
      [old.pem + next.pem, other],
      [(await issue({ subject: "CN=old", ca: true, keys: old.keys })).pem + next.pem, ca],
    ] as const)
      assert.notEqual(authorityDigest(roots, signer.pem), digest);
  });

  describe("trustedRoots", () => {
    it("leaves what is trusted as it is, byte for byte, and puts what is new behind it", () => {
      for (const trusted of [old.pem, otherForm(old.pem), next.pem + old.pem]) {
        const roots = trustedRoots(both, trusted, other.pem);
        assert.equal(roots, trusted + other.pem);
      }
    });
    it("has nothing twice, whatever it looks like", () => {
      assert.equal(trustedRoots(both, old.pem, otherForm(old.pem) + next.pem), old.pem + next.pem);
      assert.equal(trustedRoots(both, old.pem + next.pem, next.pem), old.pem + next.pem);
    });
    it("is readable behind a text whose last line is not ended", () => {
      const roots = trustedRoots(both, old.pem.trimEnd(), next.pem);
      assert.ok(roots.startsWith(old.pem.trimEnd()));
      assert.doesNotMatch(roots, /----------/);
      assert.deepEqual(certificateSet(roots), certificateSet(old.pem + next.pem));
    });
    it("has only what is wanted in the end", () => {
      assert.equal(trustedRoots({ known: [ROOT], signer: ROOT }, old.pem + next.pem, next.pem), next.pem);
    });
  });

  describe("lacking", () => {
    const settlement = (changes: Partial<Settlement> = {}): Settlement => ({
      roots: old.pem + next.pem,
      exact: false,
      signer: other.pem,
      sends: true,
      ...changes,
    });
    const chain = async (issuer: Issued, root: Issued) => (await ofHost(issuer)).pem + issuer.pem + root.pem;
    let settled: ProxyTrust, byOld: string;
    before(async () => {
      settled = { proxy: "a.b", roots: next.pem + old.pem, certChain: await chain(other, next) };
      byOld = await chain(ca, old);
    });

    it("finds nothing at one that has all", async () => {
      assert.equal(lacking(settled, settlement()), undefined);
      assert.equal(lacking({ ...settled, sentChain: await chain(other, next) }, settlement()), undefined);
      assert.equal(lacking({ ...settled, roots: settled.roots + ca.pem }, settlement()), undefined);
    });
    it("takes a certificate of the authority that was made anew for the same key", async () => {
      const renewed = await issue({ subject: "CN=other ca", issuer: next, ca: true, keys: other.keys });
      assert.equal(lacking({ ...settled, certChain: await chain(renewed, next) }, settlement()), undefined);
    });

    const TRUSTS = "does not trust the new root yet";
    const OTHERS = "has a certificate of the other authority";
    const cases: [string, () => Partial<ProxyTrust>, Partial<Settlement>, string][] = [
      ["that can't be asked", () => ({ problem: "is off" }), {}, "is off"],
      ["without the new root", () => ({ roots: old.pem }), {}, TRUSTS],
      ["of whose roots nothing is known", () => ({ roots: undefined }), {}, TRUSTS],
      ["with a certificate of the other", () => ({ certChain: byOld }), {}, OTHERS],
      ["without a certificate", () => ({ certChain: undefined }), {}, OTHERS],
      ["whose certificate comes without its issuer", () => ({ certChain: byOld.slice(0, 100) }), {}, OTHERS],
      [
        "that was sent an identity by the other",
        () => ({ sentChain: byOld }),
        {},
        "has been sent an identity of the other authority",
      ],
    ];
    const [LIST, FURTHER] = ["QUFB", "QkJC"].map(
      (body) => `-----BEGIN X509 CRL-----\n${body}\n-----END X509 CRL-----\n`,
    );
    const UNLISTED = "does not have the new revocation lists yet";
    cases.push(
      ["that checks by lists, but not those of all CAs", () => ({ lists: LIST }), { lists: LIST! + FURTHER }, UNLISTED],
      ["whose file of lists is empty", () => ({ lists: "" }), { lists: LIST }, UNLISTED],
      [
        "that checks by lists which the mesh has no more",
        () => ({ lists: LIST }),
        {},
        "still has revocation lists, of the earlier CAs only",
      ],
    );
    it("takes one that has the lists, in any form, with or without others; or that checks by none", () => {
      const lists = LIST! + FURTHER;
      for (const has of [lists, `${FURTHER}\n${otherForm(LIST!)}`, undefined])
        assert.equal(lacking({ ...settled, lists: has }, settlement({ lists })), undefined);
      assert.equal(lacking({ ...settled, lists }, settlement({ lists: LIST })), undefined);
      assert.equal(lacking({ ...settled, lists: "" }, settlement()), undefined);
    });
    for (const [what, changes, wanted, reason] of cases) {
      it(`tells of one ${what}`, () => {
        assert.equal(lacking({ ...settled, ...changes() }, settlement(wanted)), reason);
      });
    }
    it("tells of one that still trusts the earlier root, if no other is trusted", () => {
      const exact = settlement({ roots: next.pem, exact: true });
      assert.equal(lacking(settled, exact), "still trusts the earlier root");
      assert.equal(lacking({ ...settled, roots: next.pem }, exact), undefined);
      assert.equal(lacking(settled, { ...exact, exact: false }), undefined);
    });
    it("minds what hosts were sent only once the authority that signs sends it", () => {
      assert.equal(lacking({ ...settled, sentChain: byOld }, settlement({ sends: false })), undefined);
    });
  });

  describe("trustConfig", () => {
    const read = (text: string) => (load(text) as { caCertificates: { pem: string }[] }).caCertificates;

    it("is YAML with the root, which is another text at each occasion", () => {
      const [one, two] = ["1.1 of 1.1", "2.1 of 1.1 2.1, 2026-11-27T00:00:00.000Z"].map((occasion) =>
        read(trustConfig(old.pem, occasion)),
      );
      for (const [entry, ...others] of [one!, two!]) {
        assert.deepEqual(others, []);
        assert.equal(new X509Certificate(entry!.pem).fingerprint256, new X509Certificate(old.pem).fingerprint256);
      }
      assert.notEqual(one![0]!.pem, two![0]!.pem);
    });
    it("has all roots of an authority that has several", () => {
      assert.deepEqual(
        certificateSet(read(trustConfig(old.pem + next.pem, "x"))[0]!.pem),
        certificateSet(old.pem + next.pem),
      );
    });
  });
});
