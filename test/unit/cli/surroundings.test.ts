import assert from "node:assert/strict";
import { readSurroundings } from "../../../cli/facts/surroundings";
import type { ConfiguredStack } from "../../../cli/stack";
import { CommandError } from "../../../tools/command";
import type { Kubectl } from "../../../tools/kubectl";
import { existingFacts, freshFacts, healthyFacts } from "../diagnosis/checks/facts";
import { meshKubectl } from "../existingMesh";

const fails = (words: string) => () => {
  throw new CommandError("kubectl", [], words, false);
};
const items = (...list: object[]) => JSON.stringify({ items: list });

/** As kubectl prints what it is asked for. */
const PODS = `default/sleep\t\t10.244.0.5,fd00::5,\t{"initContainers":["istio-init"]}
kube-system/proxy\ttrue\t172.30.0.10,\t
default/pending\t\t\t
`;
const SERVICES = "default/kubernetes\t10.96.0.1,\nvm/headless\tNone,\n";
const STRICT = { metadata: { name: "strict", namespace: "vm" }, spec: { mtls: { mode: "STRICT" } } };

const ANSWERS: Record<string, () => string> = {
  "get pods": () => PODS,
  "get nodes": () =>
    items({ kind: "Node", metadata: { name: "node1" }, spec: {}, status: { addresses: [{ address: "172.30.0.10" }] } }),
  "get services": () => SERVICES,
  "get peerauthentications.security.istio.io": () => items(STRICT),
  "get servicecidrs": () => items({ spec: { cidrs: ["10.96.0.0/16"] } }),
};

describe("what is around a host", () => {
  const stackOf = ({ config, outputs, owner }: Awaited<ReturnType<typeof healthyFacts>>): ConfiguredStack => ({
    ...{ config: config!, outputs, owner },
    ...{ configProblems: [], secret: () => "" },
  });
  const read = async (broken: Record<string, () => string> = {}, facts = healthyFacts()) => {
    const kubectl: Kubectl = (args) => {
      const asked = args.join(" ");
      const [, answer = fails(`kubectl ${asked}?`)] =
        Object.entries({ ...ANSWERS, ...broken }).find(([begin]) => asked.startsWith(begin)) ?? [];
      return Promise.resolve().then(answer);
    };
    return readSurroundings(stackOf(await facts), kubectl);
  };

  it("is who has which address, what is taken from whom, and which range is the services'", async () =>
    assert.deepEqual(await read(), {
      pods: [
        { name: "default/sleep", addresses: ["10.244.0.5", "fd00::5"], hostNetwork: false, sidecar: true },
        { name: "kube-system/proxy", addresses: ["172.30.0.10"], hostNetwork: true, sidecar: false },
        { name: "default/pending", addresses: [], hostNetwork: false, sidecar: false },
      ],
      nodes: [{ name: "node1", ready: false, addresses: ["172.30.0.10"], podCidrs: [] }],
      services: [
        { name: "default/kubernetes", addresses: ["10.96.0.1"] },
        { name: "vm/headless", addresses: [] },
      ],
      peerAuthentications: [STRICT],
      rootNamespaces: ["istio-system"],
      serviceCidr: "10.96.0.0/16",
    }));

  it("is told as far as it may be read", async () => {
    const forbidden = fails('Error from server (Forbidden): pods is forbidden: User "jo" cannot list');
    const { pods, peerAuthentications, ...rest } = await read({ "get pods": forbidden });
    assert.ok("problem" in pods && pods.forbidden);
    assert.deepEqual(peerAuthentications, [STRICT]);
    assert.ok(Object.values(rest).every((fact) => typeof fact === "string" || Array.isArray(fact)));
  });

  it("has no policy where Istio is not there yet", async () => {
    const unknown = fails(`error: the server doesn't have a resource type "peerauthentications"`);
    const { peerAuthentications } = await read({ "get peerauthentications.security.istio.io": unknown }, freshFacts());
    assert.deepEqual(peerAuthentications, []);
  });

  it("says of a mesh that was there before, and that nothing has joined yet, where its policies count for all", async () => {
    const facts = await existingFacts();
    const { rootNamespaces } = await readSurroundings(stackOf({ ...facts, outputs: undefined }), meshKubectl());
    assert.deepEqual(rootNamespaces, ["istio-system"]);
  });
});
