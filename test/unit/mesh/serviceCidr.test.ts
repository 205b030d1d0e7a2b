import assert from "node:assert/strict";
import fc from "fast-check";
import { isRange } from "../../../mesh/addresses";
import { fromRefusal, fromServiceCidrList } from "../../../mesh/serviceCidr";

const range = fc.oneof(
  fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })).map(([address, bits]) => `${address}/${bits}`),
  fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 })).map(([address, bits]) => `${address}/${bits}`),
);

describe("service ranges", () => {
  it("are recognized whatever they are", () => {
    // An IPv6 address may end in an IPv4 one; no API server writes a range so.
    fc.assert(
      fc.property(
        range.filter((r) => !/:.*\./.test(r)),
        (cidr) => {
          assert.ok(isRange(cidr));
          const refusal = `error: failed to create ClusterIP service: Service "p" is invalid: spec.clusterIPs: Invalid value: ["0.0.0.1"]: failed to allocate IP 0.0.0.1: the provided network does not match the current range. The range of valid IPs is ${cidr}`;
          assert.equal(fromRefusal(refusal), cidr);
          assert.equal(fromRefusal(`${refusal}.`), cidr);
        },
      ),
    );
  });

  it("are not seen where there are none", () => {
    for (const text of ["10.0.0.0", "10.0.0/8", "10.0.0.0/33", "10.0.0.0/8,", "a/8", "::", "*", ""]) {
      assert.ok(!isRange(text));
      assert.equal(fromRefusal(`The range of valid IPs is ${text}`), text === "10.0.0.0/8," ? "10.0.0.0/8" : undefined);
    }
    fc.assert(fc.property(fc.string(), (text) => assert.equal(fromRefusal(text), undefined)));
  });

  it("come from ServiceCIDR objects, all of them", () => {
    const list = (...cidrs: (string[] | undefined)[]) =>
      JSON.stringify({ kind: "List", items: cidrs.map((each) => ({ spec: each && { cidrs: each } })) });
    assert.equal(fromServiceCidrList(list(["10.96.0.0/16"])), "10.96.0.0/16");
    assert.equal(
      fromServiceCidrList(list(["10.96.0.0/16", "fd00::/108"], ["10.97.0.0/16"])),
      "10.96.0.0/16,fd00::/108,10.97.0.0/16",
    );
    assert.equal(fromServiceCidrList(list()), undefined);
    assert.equal(fromServiceCidrList(list(undefined)), undefined);
  });
});
