import assert from "node:assert/strict";
import fc from "fast-check";
import { addressProblem, canonicalAddress, covers, isWithin, rangeProblem } from "../../../mesh/addresses";

const ipv4 = (bits: number) => [24, 16, 8, 0].map((shift) => (bits >>> shift) & 255).join(".");
const address = fc.integer({ min: 0, max: 0xffffffff });
const prefix = fc.integer({ min: 0, max: 32 });

/** The first bits of an address, by arithmetic. */
const network = (bits: number, length: number) => Math.floor(bits / 2 ** (32 - length));

describe("isWithin", () => {
  it("compares as many bits as the prefix says", () => {
    // Two addresses that often share their beginning.
    const pair = fc.tuple(address, fc.integer({ min: 0, max: 31 })).map(([a, bit]) => [a, (a ^ (1 << bit)) >>> 0]);
    fc.assert(
      fc.property(pair, prefix, ([a, b], length) => {
        const within = network(a!, length) === network(b!, length);
        assert.equal(isWithin(ipv4(a!), `${ipv4(b!)}/${length}`), within);
      }),
    );
  });

  for (const [inside, range, expected] of [
    ["fd00::1", "fd00::/112", true],
    ["fd00::1:0", "fd00::/112", false],
    ["FD00:0:0::1", "fd00::/112", true],
    ["10.0.0.1", "fd00::/8", false],
    ["fd00::1", "0.0.0.0/0", false],
    ["10.0.0.1", "::/0", false],
    // What is no address lies nowhere, and nothing lies in what is no range.
    ["node1", "0.0.0.0/0", false],
    ["", "0.0.0.0/0", false],
    ["10.0.0.1", "10.0.0.1", false],
    ["10.0.0.1", "10.0.0.0/", false],
    ["10.0.0.1", "10.0.0.0/33", false],
    ["10.0.0.1", "10.0.0.300/8", false],
    ["fd00::1", "fd00::/129", false],
    ["10.0.0.1", "*", false],
    ["10.0.0.1", "", false],
  ] as const) {
    it(`${inside || "nothing"} in ${range || "nothing"}: ${expected}`, () => {
      assert.equal(isWithin(inside, range), expected);
    });
  }
});

describe("covers", () => {
  it("is so if the narrower range's ends lie in the wider one", () => {
    fc.assert(
      fc.property(address, prefix, address, prefix, (a, outer, b, inner) => {
        const first = network(b, inner) * 2 ** (32 - inner);
        const last = first + 2 ** (32 - inner) - 1;
        const range = `${ipv4(a)}/${outer}`;
        assert.equal(covers(range, `${ipv4(b)}/${inner}`), isWithin(ipv4(first), range) && isWithin(ipv4(last), range));
      }),
    );
  });

  for (const [outer, inner, expected] of [
    ["10.96.0.0/16", "10.96.0.0/16", true],
    ["10.96.0.0/16", "10.96.128.0/17", true],
    ["10.96.128.0/17", "10.96.0.0/16", false],
    ["10.96.0.0/16", "10.97.0.0/24", false],
    ["fd00::/64", "fd00::/112", true],
    ["::/0", "10.0.0.0/8", false],
    ["10.0.0.0/8", "10.1.2.3", false],
    ["*", "10.0.0.0/8", false],
  ] as const) {
    it(`${outer} covers ${inner}: ${expected}`, () => assert.equal(covers(outer, inner), expected));
  }
});

describe("rangeProblem", () => {
  it("takes every range without bits behind its prefix, and no other", () => {
    fc.assert(
      fc.property(address, prefix, (bits, length) => {
        const clean = length === 0 ? 0 : network(bits, length) * 2 ** (32 - length);
        assert.equal(rangeProblem(`${ipv4(clean)}/${length}`), undefined);
        if (clean !== bits) assert.match(rangeProblem(`${ipv4(bits)}/${length}`)!, /has bits behind its prefix/);
      }),
    );
  });

  for (const [range, expected] of [
    ["fd00::/108", undefined],
    ["2001:db8::/32", undefined],
    ["::/0", undefined],
    ["fd00::1/127", /has bits behind its prefix of 127/],
    ["fd00::1/128", undefined],
    ["::1:0:0/96", undefined],
    ["fd00::/129", /is no range/],
    ["10.0.0.0/33", /is no range/],
    ["10.0.0.0/-1", /is no range/],
    ["10.0.0.0/08", /is no range/],
    ["010.0.0.0/8", /is no range/],
    ["fe80::%eth0/64", /is no range/],
    ["::ffff:10.0.0.0/104", /is IPv4 in the form of IPv6/],
    ["", /nothing is no range/],
  ] as const) {
    it(`${range}: ${expected === undefined ? "is one" : expected.source}`, () => {
      if (expected === undefined) assert.equal(rangeProblem(range), undefined);
      else assert.match(rangeProblem(range)!, expected);
    });
  }
});

describe("canonicalAddress", () => {
  it("is one for all spellings", () => {
    for (const spelling of ["fd00::1", "FD00::1", "fd00:0:0:0:0:0:0:1", "fd00::0:1"]) {
      assert.equal(canonicalAddress(spelling), "fd00::1");
    }
    assert.equal(canonicalAddress("FE80::1%eth0"), "fe80::1%eth0");
    for (const other of ["10.0.0.1", "vm1.example.org"]) assert.equal(canonicalAddress(other), other);
  });
});

describe("addressProblem", () => {
  it("finds none in addresses of machines", () => {
    for (const usual of ["10.0.0.1", "192.168.1.1", "100.64.0.1", "8.8.8.8", "2001:db8::1", "fd00::1", "::2"]) {
      assert.equal(addressProblem(usual), undefined, usual);
    }
  });

  it("knows the edges", () => {
    for (const [edge, expected] of [
      ["0.255.255.255", /unspecified/],
      ["126.255.255.255", undefined],
      ["127.255.255.254", /loopback/],
      ["128.0.0.1", undefined],
      ["223.255.255.255", undefined],
      ["239.255.255.255", /multicast/],
      ["240.0.0.1", /reserved/],
      ["febf::1", /link-local/],
      ["fec0::1", undefined],
    ] as const) {
      if (expected === undefined) assert.equal(addressProblem(edge), undefined, edge);
      else assert.match(addressProblem(edge) ?? "", expected, edge);
    }
  });
});
