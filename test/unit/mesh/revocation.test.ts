import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { pemBlocks } from "../../../mesh/pem";
import {
  type IssuedCertificate,
  issuedCertificate,
  issuedData,
  issuedIn,
  isListedIn,
  type ListingAuthority,
  revocationLists,
} from "../../../mesh/revocation";
import { keyDigest } from "../../../mesh/rotation";
import { withDirectory } from "../support";

/** As openssl makes them, for other tools of ours would agree with each other's mistakes. */
function authorityOf(folder: string, name: string, kind: string[], issuer?: string): ListingAuthority {
  const file = (what: string) => join(folder, `${name}.${what}`);
  const openssl = (...words: string[]) => execFileSync("openssl", words, { stdio: ["ignore", "pipe", "ignore"] });
  openssl("genpkey", ...kind, "-out", file("key"));
  const by =
    issuer === undefined
      ? ["-key", file("key")]
      : ["-CA", join(folder, `${issuer}.pem`), "-CAkey", join(folder, `${issuer}.key`), "-key", file("key")];
  openssl(
    ...["req", "-x509", "-new", ...by, "-days", "30", "-subj", `/O=Istio/CN=${name}`, "-out", file("pem")],
    ...["-addext", "keyUsage=critical,keyCertSign,cRLSign"],
  );
  const read = (what: string) => execFileSync("cat", [file(what)], { encoding: "utf8" });
  return { certificate: read("pem"), key: read("key") };
}
const EC = (curve: string) => ["-algorithm", "EC", "-pkeyopt", `ec_paramgen_curve:${curve}`];

describe("revocation lists", () => {
  /** What openssl says of a leaf, when it checks every certificate on the way by these lists. */
  const verify = (folder: string, lists: string, leaf: string) => {
    writeFileSync(join(folder, "lists.pem"), lists);
    const words = ["verify", "-crl_check_all", "-CAfile", "root.pem", "-untrusted", "ca.pem"];
    const { stdout, stderr } = spawnSync("openssl", [...words, "-CRLfile", "lists.pem", leaf], {
      cwd: folder,
      encoding: "utf8",
    });
    return /: OK$/m.test(stdout) ? "OK" : (/error \d+ at .* lookup: (.*)/.exec(stdout + stderr)?.[1] ?? stderr);
  };
  const withMesh = (
    work: (folder: string, authorities: ListingAuthority[], leaf: IssuedCertificate) => Promise<void>,
  ) =>
    withDirectory(async (folder) => {
      const root = authorityOf(folder, "root", EC("P-256"));
      const ca = authorityOf(folder, "ca", EC("P-256"), "root");
      const leaf = authorityOf(folder, "leaf", EC("P-256"), "ca");
      await work(folder, [root, ca], issuedCertificate("vm1", leaf.certificate + ca.certificate));
    });

  it("let everything pass while they are empty, and refuse what is on them: so says openssl", () =>
    withMesh(async (folder, authorities, leaf) => {
      const empty = await revocationLists(authorities, [], "");
      assert.equal(verify(folder, empty, "leaf.pem"), "OK");
      const lists = await revocationLists(authorities, [leaf], empty);
      assert.equal(verify(folder, lists, "leaf.pem"), "certificate revoked");
      assert.deepEqual([isListedIn(empty)(leaf.serial), isListedIn(lists)(leaf.serial)], [false, true]);
    }));

  it("are of each CA, for one that has none is refused", () =>
    withMesh(async (folder, authorities) => {
      const [root] = authorities;
      assert.equal(verify(folder, await revocationLists([root!], [], ""), "leaf.pem"), "unable to get certificate CRL");
    }));

  it("have only what their CA has signed", () =>
    withMesh(async (_, authorities, leaf) => {
      const lists = pemBlocks(await revocationLists(authorities, [leaf], ""));
      assert.deepEqual(
        lists.map(({ label, pem }) => [label, new x509.X509Crl(pem).entries.length]),
        [
          ["X509 CRL", 0],
          ["X509 CRL", 1],
        ],
      );
    }));

  it("begin with their CA, whatever the clock says, and never end", () =>
    withMesh(async (_, [root]) => {
      const list = new x509.X509Crl(await revocationLists([root!], [], ""));
      const { notBefore } = new x509.X509Certificate(root!.certificate);
      assert.deepEqual([list.thisUpdate, list.nextUpdate?.getUTCFullYear()], [notBefore, 9999]);
    }));

  it("stay as they are, each, as long as they say the same: of ECDSA a signature is another each time", () =>
    withMesh(async (_, authorities, leaf) => {
      const empty = await revocationLists(authorities, [], "");
      assert.equal(await revocationLists(authorities, [], empty), empty);
      const lists = await revocationLists(authorities, [leaf], empty);
      assert.deepEqual(pemBlocks(lists)[0], pemBlocks(empty)[0]);
      assert.equal(await revocationLists(authorities, [leaf], lists), lists);
      const further = { ...leaf, serial: "00ff01" };
      const two = await revocationLists(authorities, [leaf, further], lists);
      assert.equal(await revocationLists(authorities, [further, leaf], two), two, "a number with a zero before it");
      const dates = (text: string) =>
        new x509.X509Crl(pemBlocks(text)[1]!.pem).findRevoked(leaf.serial)!.revocationDate;
      assert.deepEqual(dates(two), dates(lists));
      assert.notEqual(await revocationLists(authorities, [], two), two);
    }));

  it("are signed by keys of every kind and in every form that a CA of ours has", () =>
    withDirectory(async (folder) => {
      const p384 = authorityOf(folder, "p384", EC("P-384"));
      const rsa = authorityOf(folder, "rsa", ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]);
      const traditional = (name: string) =>
        execFileSync("openssl", ["pkey", "-in", join(folder, `${name}.key`), "-traditional"], { encoding: "utf8" });
      const authorities = [p384, rsa, { ...p384, key: traditional("p384") }, { ...rsa, key: traditional("rsa") }];
      for (const authority of authorities) {
        writeFileSync(join(folder, "list.pem"), await revocationLists([authority], [], ""));
        const file = authority.certificate === rsa.certificate ? "rsa.pem" : "p384.pem";
        const { stderr } = spawnSync("openssl", ["crl", "-in", "list.pem", "-CAfile", file, "-noout"], {
          cwd: folder,
          encoding: "utf8",
        });
        assert.equal(stderr.trim(), "verify OK");
      }
    }));
});

describe("what hosts were sent", () => {
  it("is read as it was written", () =>
    withDirectory(async (folder) => {
      const ca = authorityOf(folder, "ca", EC("P-256"));
      const leaf = authorityOf(folder, "leaf", EC("P-256"), "ca");
      const issued = issuedCertificate("vm1", leaf.certificate + ca.certificate);
      assert.deepEqual([issued.host, issued.issuer], ["vm1", keyDigest(ca.certificate)]);
      const data = issuedData([issued, { ...issued, serial: "0a", host: "vm2" }]);
      for (const key of Object.keys(data)) assert.match(key, /^[-._a-zA-Z0-9]+$/, "a key of a ConfigMap");
      assert.deepEqual(issuedIn(data), [issued, { ...issued, serial: "0a", host: "vm2" }]);
      return Promise.resolve();
    }));
});
