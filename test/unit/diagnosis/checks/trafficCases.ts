import { about, type Verdict, warning } from "../../../../diagnosis/checks/check";
import type { Facts } from "../../../../diagnosis/facts";
import { parseSocket } from "../../../../diagnosis/sockets";
import type { Case } from "./cases";
import { freshFacts, inspectionOf } from "./facts";

const client = (address: string, index: number) =>
  parseSocket(`ESTAB 0 0 192.0.2.22:8080 ${address}:50000 users:(("worker${index}",pid=32,fd=4))`)!;

/** Clients of vm2, which is yet to join, by their addresses. */
const used =
  (...addresses: string[]) =>
  (facts: Facts) =>
    void inspectionOf(facts, "vm2").sockets.push(...addresses.map(client));

const strict = ({ surroundings }: Facts) =>
  (surroundings!.peerAuthentications = [
    { metadata: { name: "strict", namespace: "vm" }, spec: { mtls: { mode: "STRICT" } } },
  ]);
const serverFirst = ({ config }: Facts) => (config!.services[0]!.ports[0]!.protocol = "TCP");

const refused = (who: string): Verdict[] =>
  about(
    "vm2",
    warning(
      `vm2: port 8080 is used by ${who} now, which would be refused: vm/strict is STRICT`,
      "npx istio-vm impact vm2; give them a sidecar, or let a PeerAuthentication say PERMISSIVE for port 8080 until they have one",
    ),
  );
const waits = (who: string): Verdict[] =>
  about(
    "vm2",
    warning(
      `vm2: port 8080 is used by ${who} now, which would wait a second each time if the server speaks first there`,
      "npx istio-vm impact vm2; if clients speak first at port 8080, say its protocol in services; if nobody in the mesh uses it, a PeerAuthentication with DISABLE for it",
    ),
  );

const [STRANGER, OTHER, POD, NODE] = ["203.0.113.8", "203.0.113.9", "10.244.0.5", "192.0.2.10"];

/** What a join would change for those who use a host now. */
export const trafficCases: Record<string, Case[]> = {
  IVM745: [
    {
      when: "clients outside the mesh use a port of which a policy says STRICT",
      in: freshFacts,
      break: (facts) => [strict(facts), used(STRANGER, STRANGER, OTHER, POD)(facts)],
      finds: refused("2 clients outside the mesh"),
    },
    {
      when: "one client is behind a node's address",
      in: freshFacts,
      break: (facts) => [strict(facts), used(NODE)(facts)],
      finds: refused("1 client outside the mesh, or behind a node,"),
    },
    {
      when: "clients outside the mesh use it, and no policy says anything",
      in: freshFacts,
      break: used(STRANGER, OTHER),
      finds: [],
    },
    {
      when: "only a pod with a sidecar uses a port of which a policy says STRICT",
      in: freshFacts,
      break: (facts) => [strict(facts), used(POD)(facts)],
      finds: [],
    },
    {
      when: "the host is joined, and what it says is of no join to come",
      break: (facts) => [strict(facts), used(STRANGER)(facts)],
      finds: [],
    },
    {
      when: "it may not be read which policies there are",
      in: freshFacts,
      break: (facts) => [
        used(STRANGER)(facts),
        (facts.surroundings!.peerAuthentications = { problem: "jo may not", forbidden: true }),
      ],
      finds: [],
    },
  ],
  IVM746: [
    {
      when: "a client outside the mesh uses a port at which the server may speak first",
      in: freshFacts,
      break: (facts) => [serverFirst(facts), used(STRANGER, POD)(facts)],
      finds: waits("1 client outside the mesh"),
    },
    {
      when: "only a pod with a sidecar uses it",
      in: freshFacts,
      break: (facts) => [serverFirst(facts), used(POD)(facts)],
      finds: [],
    },
  ],
  IVM747: [
    {
      when: "nothing listens at all",
      in: freshFacts,
      break: (facts) => (inspectionOf(facts, "vm2").sockets = []),
      finds: [],
    },
    {
      when: "a program listens at loopback alone",
      in: freshFacts,
      break: (facts) =>
        (inspectionOf(facts, "vm2").sockets = [
          parseSocket('LISTEN 0 5 127.0.0.1:8080 0.0.0.0:* users:(("mariadbd",pid=3,fd=3))')!,
        ]),
      finds: about("vm2", warning("vm2: mariadbd listens at inbound port 8080 of loopback alone")),
    },
    {
      when: "the sockets can't be read",
      in: freshFacts,
      break: (facts) => Object.assign(inspectionOf(facts, "vm2"), { sockets: [], socketsProblem: "ss: not found" }),
      finds: [],
    },
  ],
};
