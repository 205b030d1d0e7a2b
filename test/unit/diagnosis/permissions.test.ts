import type { ReadinessProbe } from "../../../mesh/readinessProbe";
import assert from "node:assert/strict";
import type { Config } from "../../../config";
import { accessReview, type Circumstances, forbiddenBy, neededPermissions } from "../../../diagnosis/permissions";
import { healthyFacts } from "./checks/facts";

const object = (apiVersion: string, kind: string) => ({ apiVersion, kind, metadata: { name: "x" } });

describe("permissions", () => {
  let config: Config;
  before(async () => (config = (await healthyFacts()).config!));
  const none = { manifest: [], accounts: [], istiods: [], rootNamespaces: ["root"] };
  /** What is asked, a line for each kind in each namespace: `get/list services in vm`. */
  const asked = (changed: Partial<Config>, circumstances: Partial<Circumstances> = {}) => {
    const needed = neededPermissions({ ...config, ...changed }, { ...none, ...circumstances });
    const answers = needed.map(({ group, resource, subresource = "", verb, namespace = "" }) =>
      ["false", verb, resource, group, subresource, namespace].join(" "),
    );
    return forbiddenBy(answers.join("\n"));
  };
  const ALL = "get/list/watch/create/patch/delete";

  it("are for every kind of the manifest and of the program, each once, where it is", () => {
    const service = object("v1", "Service");
    const manifest = [
      { ...service, metadata: { ...service.metadata, namespace: "istio-system" } },
      object("autoscaling/v2", "HorizontalPodAutoscaler"),
      object("networking.k8s.io/v1", "NetworkPolicy"),
    ];
    const needed = asked({}, { manifest });
    assert.equal(new Set(needed).size, needed.length);
    for (const kind of [
      ...["services in istio-system", "secrets in istio-system"],
      ...["horizontalpodautoscalers.autoscaling", "networkpolicies.networking.k8s.io"],
      ...[
        "serviceentries.networking.istio.io in vm",
        "workloadentries.networking.istio.io in vm",
        "deployments.apps in default",
        "namespaces",
      ],
    ]) {
      assert.ok(needed.includes(`${ALL} ${kind}`), kind);
    }
  });

  it("are for tokens only where a host that is there has its identity by one", () => {
    const TOKENS = "create serviceaccounts/token in vm";
    const byToken = (gone: boolean) =>
      asked({ hosts: config.hosts.map((host) => ({ ...host, gone, identity: "token" as const })) });
    assert.equal(byToken(false).filter((one) => one === TOKENS).length, 1);
    assert.ok(!byToken(true).includes(TOKENS));
    assert.ok(!asked({}).includes(TOKENS));
    const [review] = neededPermissions({ ...config, hosts: [{ ...config.hosts[0]!, identity: "token" }] }, none)
      .filter(({ subresource }) => subresource)
      .map(accessReview);
    const { subresource, namespace } = review!.spec.resourceAttributes;
    assert.deepEqual([subresource, namespace], ["token", "vm"]);
  });

  it("are to end identities, of accounts of the stack's own, unless that is not wanted", () => {
    const POLICIES = "get/list/create/patch/delete authorizationpolicies.security.istio.io in root";
    assert.ok(asked({}, { accounts: ["vm"] }).includes(POLICIES));
    for (const needed of [asked({}), asked({ denyEnded: false }, { accounts: ["vm"] })]) {
      assert.ok(!needed.some((one) => one.includes("authorizationpolicies")));
    }
  });

  it("are for the filters of hosts on which a server may speak first", () => {
    const FILTERS = `${ALL} envoyfilters.networking.istio.io in vm`;
    const [host] = config.hosts;
    assert.ok(!asked({}).includes(FILTERS));
    assert.ok(asked({ hosts: [{ ...host!, inboundPorts: "*" }] }).includes(FILTERS));
    assert.ok(!asked({ hosts: [{ ...host!, inboundPorts: "*", gone: true }] }).includes(FILTERS));
  });

  it("are for saying of a host that is probed that it leaves", () => {
    const HEALTH = "patch workloadentries.networking.istio.io/status in vm";
    const [host] = config.hosts;
    const readinessProbe = {} as ReadinessProbe;
    assert.ok(!asked({}).includes(HEALTH));
    assert.ok(asked({ hosts: [{ ...host!, readinessProbe }] }).includes(HEALTH));
  });

  describe("of a mesh that is there", () => {
    const onExisting = (changed: Partial<Config>, circumstances: Partial<Circumstances> = {}) =>
      asked(
        { controlPlane: { existing: { revision: "default" } }, sampleClient: undefined, ...changed },
        { istiods: ["mesh"], ...circumstances },
      ).sort();
    const elsewhere: Config["exposure"] = { type: "Address", address: "192.0.2.10", port: 15012 };
    const inVm = ["services", "serviceentries.networking.istio.io", "workloadentries.networking.istio.io"].map(
      (kind) => `${ALL} ${kind} in vm`,
    );
    const least = [
      ...inVm,
      ...[
        "list/watch endpoints in vm",
        "list serviceaccounts in vm",
        "list services in mesh",
        "list configmaps in mesh",
      ],
      ...["list deployments.apps", "list mutatingwebhookconfigurations.admissionregistration.k8s.io"],
    ];

    it("are what is read there, and what its services take; namespaces only where some are made", () => {
      const made = onExisting({ exposure: elsewhere });
      assert.deepEqual(made, [...least, `${ALL} namespaces`].sort());
      const cluster = { ...config.cluster, existingNamespaces: ["vm"] };
      assert.deepEqual(onExisting({ exposure: elsewhere, cluster }), [...least, "list namespaces"].sort());
    });

    it("are for accounts that are made", () => {
      assert.ok(onExisting({}, { accounts: ["vm"] }).includes(`${ALL} serviceaccounts in vm`));
    });

    const more = (exposure: Config["exposure"]) => {
      const plain = onExisting({ exposure: elsewhere });
      return onExisting({ exposure }).filter((one) => !plain.includes(one));
    };
    const routes = (namespace: string) =>
      ["destinationrules", "gateways", "virtualservices"].map(
        (kind) => `${ALL} ${kind}.networking.istio.io in ${namespace}`,
      );

    it("are for our Service beside istiod", () => {
      assert.deepEqual(more({ type: "NodePort", nodeAddresses: ["192.0.2.10"] }), [
        `${ALL} services in mesh`,
        "list/watch endpoints in mesh",
      ]);
    });

    it("are for a port of their gateway, whose Service is neither made nor removed", () => {
      assert.deepEqual(more({ type: "LoadBalancer", gateway: { service: "gateway", namespace: "edge" } }), [
        ...routes("edge"),
        "get/list/watch/patch services in edge",
        "list/watch endpoints in edge",
      ]);
    });

    it("are for a gateway of our own", () => {
      assert.deepEqual(
        more({ type: "EastWestGateway", namespace: "edge" }),
        [
          ...["services", "serviceaccounts", "deployments.apps"].map((kind) => `${ALL} ${kind} in edge`),
          ...["endpoints", "pods", "replicasets.apps", "persistentvolumeclaims"].map(
            (kind) => `list/watch ${kind} in edge`,
          ),
          ...routes("edge"),
        ].sort(),
      );
    });
  });

  it("tells what is refused, the verbs of a kind together", () => {
    const answers =
      "true get secrets \nfalse create secrets \n delete secrets \nfalse patch deployments apps\nfalse create serviceaccounts  token vm\n";
    assert.deepEqual(forbiddenBy(answers), [
      "create/delete secrets",
      "patch deployments.apps",
      "create serviceaccounts/token in vm",
    ]);
    assert.deepEqual(forbiddenBy("true * * *\n"), []);
  });
});
