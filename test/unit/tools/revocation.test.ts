import assert from "node:assert/strict";
import type { Authority } from "../../../config";
import { issuedData, revocationLists } from "../../../mesh/revocation";
import { keyDigest } from "../../../mesh/rotation";
import { planRevocation } from "../../../tools/revocation";
import type { Rotation } from "../../../tools/rotation";
import { authority } from "../support";

const LATER = new Date(Date.now() + 3_600_000);
const made = (revocationLists = true) => ({ root: 1, intermediate: 1, revocationLists }) as Authority;
const entry = (host: string, serial: string, notAfter = LATER) => ({ host, serial, issuer: "aa", notAfter });

describe("planRevocation", () => {
  const rotation = (known: string[], lists?: string) =>
    ({ authorities: { known, signer: known[0]! }, found: { lists } }) as unknown as Rotation;
  /** A cluster whose record has these. */
  const cluster =
    (issued: ReturnType<typeof entry>[] | undefined, asked: string[] = []) =>
    (args: string[]) => {
      asked.push(args.join(" "));
      return Promise.resolve(issued === undefined ? "" : JSON.stringify({ data: issuedData(issued) }));
    };
  const serials = (all: { serial: string }[]) => all.map(({ serial }) => serial);

  it("revokes what hosts have that are gone or have left, all of it, and nothing of those that are there", async () => {
    const issued = [entry("vm1", "01"), entry("vm1", "02"), entry("vm2", "03"), entry("vm11", "04")];
    const asked: string[] = [];
    const plan = (await planRevocation(made(), rotation(["1.1"]), ["vm2"], cluster(issued, asked)))!;
    assert.deepEqual(serials(plan.revoked), ["01", "02", "04"]);
    assert.deepEqual(serials(plan.issued), ["01", "02", "03", "04"]);
    assert.equal(plan.present, "");
    assert.deepEqual(asked, [
      "get configmap istio-vm-issued --namespace=istio-system --ignore-not-found --output=json",
    ]);
  });

  it("goes on to revoke what it has revoked, also when a host of that name is there again", async () => {
    const ca = await authority();
    const own = { ...entry("vm1", "0a"), issuer: keyDigest(ca.certificate) };
    const listed = await revocationLists([ca], [own], "");
    const again = [own, entry("vm1", "0c")];
    const plan = (await planRevocation(made(), rotation(["1.1"], listed), ["vm1"], cluster(again)))!;
    assert.deepEqual(serials(plan.revoked), ["0a"]);
    assert.equal(plan.present, listed);
  });

  it("forgets what has ended", async () => {
    const issued = [entry("vm1", "01", new Date(Date.now() - 1000)), entry("vm1", "02")];
    const plan = (await planRevocation(made(), rotation(["1.1"]), [], cluster(issued)))!;
    assert.deepEqual([serials(plan.issued), serials(plan.revoked)], [["02"], ["02"]]);
  });

  it("has nothing at the first update", async () => {
    const plan = await planRevocation(made(), rotation(["1.1"]), [], cluster(undefined));
    assert.deepEqual(plan, { issued: [], revoked: [], present: "" });
  });

  it("is none where none is wanted, and as long as the mesh believes a CA that could have no list", async () => {
    const asked: string[] = [];
    const plan = (ca: Authority, known: string[]) => planRevocation(ca, rotation(known), [], cluster([], asked));
    assert.equal(await plan(made(false), ["1.1"]), undefined);
    assert.equal(await plan({ provided: {} } as Authority, ["key-aa"]), undefined);
    assert.equal(await plan(made(), ["key-aa", "1.1"]), undefined);
    assert.deepEqual(asked, []);
    assert.notEqual(await plan(made(), ["1.1", "2.1"]), undefined);
  });
});
