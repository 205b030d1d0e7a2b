import assert from "node:assert/strict";
import {
  contradictions,
  existingControlPlane,
  existingGateway,
  findRevision,
  installedRevisions,
} from "../../../mesh/existing";
import type { KubernetesObject } from "../../../mesh/kubernetesObject";
import { at, type JsonObject } from "../../../mesh/json";
import { kindOf, meshObjects } from "../existingMesh";

/** The two revisions of the lab's cluster, of which one has a tag, after somebody has changed objects of it. */
function revisions(objects = meshObjects()) {
  return installedRevisions(kindOf(objects, "Deployment"), kindOf(objects, "MutatingWebhookConfiguration"));
}

const read = (wanted: string, objects = meshObjects()) =>
  existingControlPlane(findRevision(revisions(objects), wanted), objects);

/** The objects, one of which is changed. */
function changed(
  kind: string,
  name: string,
  change: (object: KubernetesObject & JsonObject) => void,
): KubernetesObject[] {
  const objects = meshObjects();
  change(objects.find((object) => object.kind === kind && object.metadata.name === name)!);
  return objects;
}

const without = (kind: string, name: string) =>
  meshObjects().filter((object) => !(object.kind === kind && object.metadata.name === name));

interface Container {
  image: string;
  env: { name: string; value?: string }[];
}

const inContainer = (change: (container: Container) => void) =>
  changed("Deployment", "istiod", (deployment) =>
    change((at(deployment, "spec.template.spec.containers") as Container[])[0]!),
  );
const withVariable = (name: string, value: string) =>
  inContainer(({ env }) => {
    env.splice(0, env.length, ...env.filter((variable) => variable.name !== name), { name, value });
  });
const withMesh = (yaml: string) => changed("ConfigMap", "istio", ({ data }) => ((data as JsonObject).mesh = yaml));
const withValues = (values: object) =>
  changed("ConfigMap", "istio-sidecar-injector", ({ data }) => ((data as JsonObject).values = JSON.stringify(values)));

describe("the revisions of a cluster", () => {
  it("are found by their own names, and by the tags of their webhooks", () => {
    assert.deepEqual(
      revisions().map(({ revision, namespace, tags }) => ({ revision, namespace, tags })),
      [
        { revision: "default", namespace: "istio-system", tags: [] },
        { revision: "canary", namespace: "istio-system", tags: ["prod"] },
      ],
    );
    assert.equal(findRevision(revisions(), "default").deployment.metadata.name, "istiod");
    assert.equal(findRevision(revisions(), "canary").deployment.metadata.name, "istiod-canary");
    assert.equal(findRevision(revisions(), "prod").revision, "canary");
  });

  it("mean themselves rather than another's tag of the same name", () => {
    const objects = changed("MutatingWebhookConfiguration", "istio-revision-tag-prod", ({ metadata }) => {
      metadata.labels = { ...metadata.labels, "istio.io/rev": "default", "istio.io/tag": "canary" };
    });
    assert.equal(findRevision(revisions(objects), "canary").revision, "canary");
  });

  it("are default by a tag, also beside one without a name, which it takes the place of", () => {
    const tagged = changed("MutatingWebhookConfiguration", "istio-revision-tag-prod", ({ metadata }) => {
      metadata.labels!["istio.io/tag"] = "default";
    });
    assert.equal(findRevision(revisions(tagged), "default").revision, "canary");
    const alone = tagged.filter(({ kind, metadata }) => kind !== "Deployment" || metadata.name !== "istiod");
    assert.equal(findRevision(revisions(alone), "default").revision, "canary");
  });

  it("are listed where the wanted one is not among them", () => {
    assert.throws(
      () => findRevision(revisions(), "nightly"),
      /^Error: there is no revision or tag "nightly" of Istio: there is default in istio-system, canary in istio-system \(tag prod\)$/,
    );
    assert.throws(() => findRevision([], "default"), /there is no istiod in the cluster .*: install Istio first/);
  });

  it("must be clear: two of the same name are refused", () => {
    const twins = [...revisions(), { ...revisions()[0]!, namespace: "istio-two" }];
    assert.throws(
      () => findRevision(twins, "default"),
      /"default" of Istio is there more than once: istio-system, istio-two/,
    );
  });
});

describe("an existing control plane", () => {
  it("tells what hosts must know of it", () => {
    const { rootCerts, ...rest } = read("default");
    assert.match(rootCerts, /^-----BEGIN CERTIFICATE-----/);
    assert.deepEqual(rest, {
      revision: "default",
      rootNamespace: "istio-system",
      tags: [],
      version: "1.31.0-eed52ebb",
      service: "istiod",
      namespace: "istio-system",
      trustDomain: "cluster.local",
      clusterName: "Kubernetes",
      network: undefined,
      dualStack: false,
      audience: "istio-ca",
      selector: { app: "istiod", istio: "pilot" },
      clusterDomain: "cluster.local",
      discoverySelectors: undefined,
    });
  });

  it("is another one for each revision, with its own Service and settings", () => {
    const objects = changed(
      "ConfigMap",
      "istio-canary",
      ({ data }) => ((data as JsonObject).mesh = "trustDomain: canary.example"),
    );
    const { service, selector, trustDomain, tags } = read("prod", objects);
    assert.deepEqual(
      { service, selector, trustDomain, tags },
      {
        service: "istiod-canary",
        selector: { app: "istiod", "istio.io/rev": "canary" },
        trustDomain: "canary.example",
        tags: ["prod"],
      },
    );
    assert.equal(read("default", objects).trustDomain, "cluster.local");
  });

  for (const [image, version] of [
    ["docker.io/istio/pilot:1.31.0", "1.31.0"],
    ["gcr.io/istio-release/pilot:1.31.0-distroless", "1.31.0"],
    ["localhost:5000/pilot:1.30.2-debug", "1.30.2"],
    [`docker.io/istio/pilot:1.29.1@sha256:${"a".repeat(64)}`, "1.29.1"],
    // As charts' label says, which they have since 1.24.
    [`docker.io/istio/pilot@sha256:${"a".repeat(64)}`, "1.28.3"],
    [`localhost:5000/pilot@sha256:${"a".repeat(64)}`, "1.28.3"],
    ["localhost:5000/pilot", "1.28.3"],
    ["localhost:5000/pilot:latest", "1.28.3"],
  ] as const) {
    it(`has its version from the image ${image.slice(0, 50)}`, () => {
      const objects = changed("Deployment", "istiod", (deployment) => {
        deployment.metadata.labels!["app.kubernetes.io/version"] = "1.28.3";
        (at(deployment, "spec.template.spec.containers") as Container[])[0]!.image = image;
      });
      assert.equal(read("default", objects).version, version);
    });
  }

  it("has the trust domain, the cluster's name and the audience that it was given", () => {
    assert.equal(read("default", withMesh("trustDomain: example.org\n")).trustDomain, "example.org");
    assert.equal(read("default", withMesh("rootNamespace: istio-system\n")).trustDomain, "cluster.local");
    assert.equal(read("default", withVariable("CLUSTER_ID", "east")).clusterName, "east");
    assert.equal(
      read("default", withVariable("TOKEN_AUDIENCES", "mesh.example.org,istio-ca")).audience,
      "mesh.example.org",
    );
  });

  it("serves both families of addresses where it is told to, as Go reads a truth", () => {
    for (const [value, is] of [
      ["true", true],
      ["1", true],
      ["false", false],
      ["", false],
    ] as const) {
      assert.equal(read("default", withVariable("ISTIO_DUAL_STACK", value)).dualStack, is, value);
    }
  });

  it("has the domain of its cluster, the selectors of its namespaces, and its roots, where it was told to have them", () => {
    assert.equal(
      read("default", withValues({ global: { proxy: { clusterDomain: "corp.example" } } })).clusterDomain,
      "corp.example",
    );
    const selectors = [{ matchLabels: { mesh: "yes" } }];
    assert.deepEqual(
      read("default", withMesh(JSON.stringify({ discoverySelectors: selectors }))).discoverySelectors,
      selectors,
    );
    const roots = withVariable("PILOT_CA_CERT_CONFIGMAP", "their-roots").map((object) =>
      object.metadata.name === "istio-ca-root-cert"
        ? { ...object, metadata: { ...object.metadata, name: "their-roots" } }
        : object,
    );
    assert.match(read("default", roots).rootCerts, /BEGIN CERTIFICATE/);
  });

  it("has the network of its namespace's label, or else of its values", () => {
    assert.equal(read("default", withValues({ global: { network: "net1" } })).network, "net1");
    const labelled = changed("Namespace", "istio-system", ({ metadata }) => {
      metadata.labels = { ...metadata.labels, "topology.istio.io/network": "net2" };
    });
    assert.equal(read("default", labelled).network, "net2");
  });

  it("may be of Helm's, in a namespace of another name", () => {
    const objects = meshObjects().map((object) => {
      const text = JSON.stringify(object).replaceAll("istio-system", "mesh");
      return JSON.parse(text) as KubernetesObject;
    });
    const { namespace, service } = read("default", objects);
    assert.deepEqual({ namespace, service }, { namespace: "mesh", service: "istiod" });
  });

  it("may say itself that it is the CA", () => {
    assert.equal(
      read("default", withValues({ global: { caAddress: "istiod.istio-system.svc:15012" } })).service,
      "istiod",
    );
  });

  for (const [what, objects, problem] of [
    [
      "another CA, as istio-csr has it",
      withValues({ global: { caAddress: "cert-manager-istio-csr.cert-manager.svc:443" } }),
      /cert-manager-istio-csr\.cert-manager\.svc:443/,
    ],
    [
      "another CA, in its mesh's configuration",
      withMesh("ca:\n  address: ca.example.org:443\n"),
      /another CA than istiod \(ca\.example\.org:443\)/,
    ],
    [
      "no CA of its own",
      withVariable("ENABLE_CA_SERVER", "false"),
      /another CA than istiod \(ENABLE_CA_SERVER is false\)/,
    ],
    [
      "a CA of Kubernetes's, for which it only asks",
      withVariable("EXTERNAL_CA", "ISTIOD_RA_KUBERNETES_API"),
      /another CA than istiod \(EXTERNAL_CA is ISTIOD_RA_KUBERNETES_API\)/,
    ],
    [
      "a certificate of its own from elsewhere",
      withVariable("PILOT_CERT_PROVIDER", "kubernetes"),
      /istiod's own certificate is not of the mesh's CA \(PILOT_CERT_PROVIDER is kubernetes\)/,
    ],
    [
      "no API v1 yet",
      inContainer((container) => (container.image = "docker.io/istio/pilot:1.21.6")),
      /it is of version 1\.21\.6: from 1\.22 on/,
    ],
    ["no Service for hosts", without("Service", "istiod"), /there is no Service istiod with port 15012/],
    [
      "no certificates that hosts could trust",
      without("ConfigMap", "istio-ca-root-cert"),
      /there is no ConfigMap istio-ca-root-cert in istio-system/,
    ],
  ] as const) {
    it(`is refused where it has ${what}`, () => {
      assert.throws(() => read("default", [...objects]), problem);
      assert.throws(
        () => read("default", [...objects]),
        /hosts can't join revision "default" of Istio in istio-system: /,
      );
    });
  }
});

describe("an existing gateway", () => {
  const ingress = () =>
    structuredClone(kindOf(meshObjects(), "Service").find(({ metadata }) => metadata.name === "istio-ingressgateway")!);

  it("is found with its pods, and what its port will be called", () => {
    assert.deepEqual(existingGateway(ingress()), {
      service: "istio-ingressgateway",
      namespace: "istio-system",
      selector: { app: "istio-ingressgateway", istio: "ingressgateway" },
      portName: "tls-istiod",
      carriesIstiod: false,
    });
  });

  it("keeps the name of a port that it has already", () => {
    const object = ingress();
    (at(object, "spec.ports") as object[]).push({ name: "tls-xds", port: 15012, targetPort: 15012, protocol: "TCP" });
    assert.equal(existingGateway(object).portName, "tls-xds");
    assert.equal(existingGateway(object).carriesIstiod, true);
  });

  it("is refused where it is no load balancer, or leads nowhere", () => {
    const object = ingress() as KubernetesObject & { spec: JsonObject };
    object.spec.type = "NodePort";
    assert.throws(() => existingGateway(object), /is of type NodePort, and is not changed to a load balancer/);
    object.spec.type = "LoadBalancer";
    delete object.spec.selector;
    assert.throws(() => existingGateway(object), /selects no pods: it is no gateway/);
  });
});

describe("what the configuration says of an existing mesh", () => {
  it("is as it is found, or said to be otherwise", () => {
    const found = read("default");
    const domain = "cluster.local";
    assert.deepEqual(contradictions(found, { domain }), []);
    assert.deepEqual(contradictions(found, { trustDomain: "cluster.local", name: "Kubernetes", domain }), []);
    assert.deepEqual(contradictions(found, { trustDomain: "a.example", name: "east", domain: "corp.example" }), [
      'cluster.trustDomain: "a.example" is not that of revision "default" of Istio in istio-system, "cluster.local"',
      'cluster.name: "east" is not that of revision "default" of Istio in istio-system, "Kubernetes"',
      'cluster.domain: "corp.example" is not that of revision "default" of Istio in istio-system, "cluster.local"',
    ]);
  });
});
