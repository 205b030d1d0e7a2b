import { about, error, type Verdict, warning } from "../../../../diagnosis/checks/check";
import type { Facts } from "../../../../diagnosis/facts";
import { type Case, testChecks } from "./cases";
import { clusterOf, hostOf, inspectionOf, joinedOf } from "./facts";
import { ofHost, pki, spiffe, type Wanted } from "./pki";

/** Offsets at the edges of the thresholds, in either direction, and what must be found. */
function edges(shift: (seconds: number) => Case["break"], finds: (level: typeof error, words: string) => Verdict[]) {
  const cases: [number, typeof error?, string?][] = [
    [5],
    [-5],
    [5.01, warning, "5.0 s ahead"],
    [-5.01, warning, "5.0 s behind"],
    [60, warning, "60.0 s ahead"],
    [-60, warning, "60.0 s behind"],
    [60.1, error, "60.1 s ahead"],
    [-60.1, error, "60.1 s behind"],
    [600, error, "10 minutes ahead"],
    [-7300, error, "2 hours behind"],
    [-86400 * 30, error, "30 days behind"],
  ];
  return cases.map(([seconds, level, words = ""]): Case => ({
    when: `${seconds} s`,
    break: shift(seconds),
    finds: level === undefined ? [] : finds(level, words),
  }));
}

/** Renewed when asked, by a node whose clock is so far off. */
const leaseOff = (seconds: number) => (facts: Facts) => {
  clusterOf(facts).leases[0]!.age = -seconds;
};

const withCertificate = (changes: Wanted, offset = 0) => {
  return async (facts: Facts) => {
    joinedOf(facts).certChain = (await ofHost((await pki).intermediate, changes)).pem;
    hostOf(facts).clockOffset = offset;
  };
};

testChecks("clock", {
  IVM501: edges(
    (seconds) => (facts) => {
      clusterOf(facts).clockOffset = seconds;
      // The node's clock is the API server's.
      clusterOf(facts).leases[0]!.age = -seconds;
    },
    (level, words) => level(`the API server's clock is ${words} of this machine's`),
  ),
  IVM502: [
    { when: "5 s", break: leaseOff(5), finds: [] },
    {
      when: "6 s",
      break: leaseOff(6),
      finds: warning("the clock of node1 is 6.0 s ahead of the API server's"),
    },
    { when: "60 s", break: leaseOff(60), finds: warning("the clock of node1 is 60.0 s ahead of the API server's") },
    { when: "61 s", break: leaseOff(61), finds: error("the clock of node1 is 61.0 s ahead of the API server's") },
    { when: "-40 s: a lease that will be renewed", break: leaseOff(-40), finds: [] },
    {
      when: "other things took two minutes to be read",
      break: (facts) => {
        facts.now = new Date(facts.now.getTime() + 120_000);
      },
      finds: [],
    },
    {
      when: "-41 s",
      break: leaseOff(-41),
      finds: warning("node1 renewed its lease 41.0 s ago: its clock is behind, or it hangs"),
    },
    {
      when: "it is a node that is not ready",
      break: (facts) => {
        const { nodes, leases } = clusterOf(facts);
        nodes.push({ ...nodes[0]!, name: "node2", ready: false, addresses: [] });
        leases.push({ node: "node2", age: 1e9 });
      },
      finds: [],
    },
  ],
  IVM503: edges(
    (seconds) => (facts) => {
      hostOf(facts, "vm2").clockOffset = seconds;
      inspectionOf(facts, "vm2").joined = undefined; // a certificate of a day would have ended
    },
    (level, words) => about("vm2", level(`vm2: its clock is ${words} of this machine's`)),
  ),
  IVM504: [
    {
      when: "a certificate begins just now by the host's clock",
      break: withCertificate({ from: "2026-06-01T11:59:56Z" }, -4),
      finds: [],
    },
    {
      when: "a certificate begins a second later",
      break: withCertificate({ from: "2026-06-01T11:59:57Z" }, -4),
      finds: about(
        "vm1",
        error(
          "vm1: by its clock it is 2026-06-01T11:59:56.000Z, " +
            `but "${spiffe("default")}" is not valid before 2026-06-01T11:59:57.000Z`,
        ),
      ),
    },
    {
      when: "the clock is before all of the mesh",
      break: (facts) => (hostOf(facts).clockOffset = -86400 * 365),
      finds: about(
        "vm1",
        error(
          `vm1: by its clock it is 2025-06-01T12:00:00.000Z, but "${spiffe("default")}" is not valid before ` +
            '2026-06-01T06:00:00.000Z and "CN=Intermediate" is not valid before 2026-01-01T00:00:00.000Z ' +
            'and "CN=Root CA" is not valid before 2026-01-01T00:00:00.000Z',
        ),
      ),
      also: { IVM503: "the clock is what is wrong" },
    },
    {
      when: "the host is not joined yet, and its clock is before the CA's beginning",
      break: (facts) => {
        inspectionOf(facts).joined = undefined;
        hostOf(facts).clockOffset = -86400 * 365;
      },
      finds: about(
        "vm1",
        error(
          'vm1: by its clock it is 2025-06-01T12:00:00.000Z, but "CN=Intermediate" is not valid before ' +
            '2026-01-01T00:00:00.000Z and "CN=Root CA" is not valid before 2026-01-01T00:00:00.000Z',
        ),
      ),
      also: { IVM503: "the clock is what is wrong" },
    },
  ],
  IVM505: [
    {
      when: "a certificate ends a second later by the host's clock",
      break: withCertificate({ from: "2026-05-31T12:00:00Z", to: "2026-06-02T12:00:00Z" }, 86399),
      finds: [],
      also: { IVM503: "the clock is what is wrong" },
    },
    {
      when: "a certificate ends just now by the host's clock",
      break: withCertificate({ from: "2026-05-31T12:00:00Z", to: "2026-06-02T12:00:00Z" }, 86400),
      finds: about(
        "vm1",
        error(
          `vm1: by its clock it is 2026-06-02T12:00:00.000Z, but "${spiffe("default")}" ended 2026-06-02T12:00:00.000Z`,
        ),
      ),
      also: { IVM503: "the clock is what is wrong" },
    },
  ],
  IVM506: [
    {
      when: "nothing synchronizes the clock",
      break: (facts) => (inspectionOf(facts).clockSynchronized = false),
      finds: about("vm1", warning("vm1: its clock is not synchronized by NTP")),
    },
    {
      when: "the host can't tell",
      break: (facts) => (inspectionOf(facts).clockSynchronized = undefined),
      finds: [],
    },
  ],
});
