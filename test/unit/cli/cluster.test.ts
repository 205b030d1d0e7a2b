import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { unavailable } from "../../../cli/facts/answers";
import { lookAtCluster } from "../../../cli/facts/cluster";
import { readCaCerts } from "../../../tools/caCerts";
import { lookAtDns } from "../../../cli/facts/dns";
import { askRights } from "../../../cli/facts/rights";
import type { ConfiguredStack } from "../../../cli/stack";
import { evaluate } from "../../../diagnosis/checks";
import type { accessReview } from "../../../diagnosis/permissions";
import { type Cluster, isAvailable, isUnavailable } from "../../../diagnosis/facts";
import { CommandError } from "../../../tools/command";
import type { Kubectl } from "../../../tools/kubectl";
import { existingFacts, healthyFacts } from "../diagnosis/checks/facts";
import { fakeTools } from "./fakeTools";

const WEBHOOK = {
  kind: "ValidatingWebhookConfiguration",
  metadata: { name: "istio-validator" },
  webhooks: [{ name: "w.istio.io", clientConfig: { service: { namespace: "istio-system", name: "istiod" } } }],
};
const READY = { endpoints: [{ conditions: { ready: true } }] };
const DNS = {
  metadata: { namespace: "kube-system", name: "kube-dns" },
  spec: { ports: [{ port: 53, protocol: "UDP" }] },
};

/** What kubectl answers where all is well, by what its arguments begin with. */
const ANSWERS: [begin: string, answer: string | object[]][] = [
  ["get secret cacerts", "root\n--\nca\n--\nchain\n--\n0123456789abcdef"],
  ["create configmap", new Date().toISOString()],
  ["create --filename=-", ""],
  ["create service", ""],
  ["exec", "200 0.005"],
  ["get validatingwebhookconfigurations", [WEBHOOK]],
  ["get endpointslices", [READY]],
  ["get services --all-namespaces", [DNS]],
  ["get servicecidrs", [{ spec: { cidrs: ["10.96.0.0/16"] } }]],
  ["get", []],
];

/** @param broken arguments that begin so get another answer, or fail */
function fakeKubectl(broken: Record<string, () => string> = {}): Kubectl {
  return (args) => {
    const asked = args.join(" ");
    const begin = Object.keys(broken).find((begun) => asked.startsWith(begun));
    const answer = ANSWERS.find(([begun]) => asked.startsWith(begun))?.[1] ?? "";
    const found = () => (typeof answer === "string" ? answer : JSON.stringify({ items: answer }));
    return Promise.resolve().then(begin === undefined ? found : broken[begin]);
  };
}

const fails = (words: string) => () => {
  throw new CommandError("kubectl", [], words, false);
};
const page = `<html>${"Sign in to continue. ".repeat(100)}</html>`;

describe("the facts of a cluster", () => {
  let stack: ConfiguredStack;
  before(async () => {
    const { config, outputs, owner } = await healthyFacts();
    stack = { config: config!, outputs, owner, configProblems: [], secret: () => "" };
  });

  const look = async (broken?: Record<string, () => string>) => {
    const kubectl = fakeKubectl(broken);
    const cacerts = await readCaCerts(kubectl).catch(unavailable);
    return lookAtCluster(stack, kubectl, { version: "v1.34.4", cacerts });
  };
  const unknown = (cluster: Cluster) =>
    Object.entries(cluster).flatMap(([fact, value]) => (isUnavailable(value) ? [fact] : []));

  it("are all told where nothing is refused", async () => {
    const cluster = await look();
    assert.deepEqual(unknown(cluster), []);
    assert.deepEqual(cluster.deadWebhooks, []);
    assert.equal(cluster.serviceCidr, "10.96.0.0/16");
  });

  /** What is asked, and the facts that are not known without its answer. */
  const QUESTIONS: Record<string, (keyof Cluster)[]> = {
    "get secret cacerts": ["cacerts"],
    "get nodes": ["nodes"],
    "get leases": ["leases"],
    "get namespaces": ["namespaces"],
    "get mutatingwebhookconfigurations": ["deadWebhooks"],
    "get validatingwebhookconfigurations": ["deadWebhooks"],
    "get endpointslices": ["deadWebhooks"],
    "get deployments": ["istiods"],
    "get services --namespace=istio-system": ["istiodServices"],
    "get configmaps": ["rootCerts"],
    "create configmap": ["clockOffset"],
    "create --filename=-": ["forbidden"],
    // Without it the sample client says nothing of DNS, whose Services are looked at then.
    exec: ["requests"],
  };

  for (const [question, missing] of Object.entries(QUESTIONS)) {
    it(`may each be refused alone: ${question}`, async () => {
      const words = 'Error from server (Forbidden): it is forbidden: User "jo" cannot do that';
      const cluster = await look({ [question]: fails(words) });
      assert.deepEqual(unknown(cluster), missing);
      const found = evaluate({ ...(await healthyFacts()), cluster });
      const of = (code: string) => found.filter((finding) => finding.code === code);
      assert.deepEqual(
        of("IVM303").map(({ result, message }) => [result, /User "jo" cannot do that/.test(message)]),
        [["error", true]],
      );
      assert.deepEqual(
        of("IVM301").map(({ result }) => result),
        ["ok"],
      );
      assert.deepEqual(
        found.filter(({ message }) => /can't be judged/.test(message)),
        [],
      );
    });

    for (const [what, answer] of Object.entries({
      "a proxy's page in place of an answer": fails(`Error from server: ${page}`),
      "an API server that hangs": fails("no answer in 60 s"),
    })) {
      it(`may each be missing, and why is told by IVM301: ${what}, ${question}`, async () => {
        const cluster = await look({ [question]: answer });
        // A pod that does not answer is the service's own finding.
        if (question !== "exec") assert.deepEqual(unknown(cluster), missing);
        const messages = evaluate({ ...(await healthyFacts()), cluster }).filter(({ code }) => code === "IVM301");
        assert.deepEqual(
          messages.map(({ result, message }) => [result, message.length < 500]),
          [[question === "exec" ? "ok" : "error", true]],
        );
      });
    }
  }

  it("ask for the rights that are needed by what is there", async () => {
    const { config } = await existingFacts();
    const [vm1, vm2] = config!.hosts;
    config!.hosts = [vm1!, { ...vm2!, namespace: "db" }].map((host) => ({ ...host, serviceAccount: host.name }));
    const reviews = async (accounts: () => string) => {
      const kubectl = fakeKubectl({ "get serviceaccounts --namespace=vm": accounts });
      const asked: string[] = [];
      const { forbidden } = askRights(
        { ...stack, config: config! },
        { rootCerts: "", versions: {}, namespaces: ["mesh"], rootNamespaces: ["mesh"] },
        (...of) => {
          if (of[1] === undefined) return kubectl(...of);
          const { items } = JSON.parse(of[1]) as { items: ReturnType<typeof accessReview>[] };
          const attributes = items.map(({ spec }) => spec.resourceAttributes);
          asked.push(...attributes.map(({ verb, resource, namespace }) => `${verb} ${resource} ${namespace}`));
          return Promise.resolve("false * *\n");
        },
      );
      await forbidden();
      return asked;
    };
    const there = await reviews(() => JSON.stringify({ items: [{ metadata: { name: "vm1" } }] }));
    for (const one of ["create serviceaccounts db", "create services mesh"]) assert.ok(there.includes(one), one);
    assert.ok(!there.includes("create serviceaccounts vm"));
    assert.ok((await reviews(fails("forbidden"))).includes("create serviceaccounts vm"));
  });

  it("are no JSON where a proxy answers with a page and success", async () => {
    const { nodes } = await look({ "get nodes": () => page });
    assert.ok(!isAvailable(nodes) && nodes.problem.startsWith('kubectl get nodes: it answered no JSON, but "<html>'));
    const { istiods } = await look({ "get deployments": () => '{"kind":"Status"}' });
    assert.ok(isUnavailable(istiods) && /answered no list/.test(istiods.problem));
  });

  it("tell the cluster's DNS by whether a pod can resolve a name, whatever its server is called", async () => {
    const asked = (answer: () => string) => lookAtDns(stack, fakeKubectl({ exec: answer }));
    const resolved = { resolves: true, servers: [] };
    assert.deepEqual(await asked(() => ""), resolved);
    assert.deepEqual(await asked(fails("curl: (52) Empty reply from server")), resolved);
    const servers = [{ name: "kube-system/kube-dns", ready: true }];
    for (const words of [
      "curl: (6) Could not resolve host: x",
      "curl: (28) Resolving timed out after 5000 milliseconds",
    ])
      assert.deepEqual(await asked(fails(words)), { resolves: false, servers });
    assert.deepEqual(await asked(fails('deployments.apps "sleep" not found')), { resolves: undefined, servers });
  });
});

describe("doctor of a user with few rights", () => {
  it("says which, and goes on", async () => {
    const kubectl = `case "$*" in
*version*) echo '{"clientVersion":{"gitVersion":"v1.34.4"},"serverVersion":{"gitVersion":"v1.34.4"}}' ;;
*"get leases"* | *"get endpointslices"*)
  echo "Warning: this answer is old" >&2
  echo "Error from server (Forbidden): it is forbidden: jo may not read it" >&2; exit 1 ;;
*"get secret"*) ;;
*" get "*) echo '{"items":[]}' ;;
esac`;
    const folder = fakeTools({ kubectl });
    const home = mkdtempSync(join(tmpdir(), "istio-vm-home-"));
    try {
      const { exitCode, stdout, stderr } = await execa("node", ["--import", "tsx", "cli/main.ts", "doctor"], {
        env: { PATH: `${folder}:${process.env.PATH}`, HOME: home },
        reject: false,
      });
      assert.equal(exitCode, 2, stderr);
      assert.match(stdout, /^ {2}✗ IVM303 .*jo may not read it/m);
      assert.match(stdout, /^ {2}- IVM502 .*IVM303/m);
      assert.match(stdout, /^ {2}✗ IVM308 the cluster has no nodes/m);
      assert.doesNotMatch(stderr, /\bat .*:\d+:\d+/);
    } finally {
      rmSync(folder, { recursive: true });
      rmSync(home, { recursive: true });
    }
  });
});
