import assert from "node:assert/strict";
import { ControlPlaneExposure, type ControlPlaneExposureArgs } from "../../../components/controlPlaneExposure";
import { IstioControlPlane, type IstioControlPlaneArgs } from "../../../components/istioControlPlane";
import { EastWestGateway, type EastWestGatewayArgs } from "../../../components/eastWestGateway";
import { MeshExpansion, type MeshExpansionArgs } from "../../../components/meshExpansion";
import { EAST_WEST_GATEWAY, type ExposureArgs, exposureOf } from "../../../mesh/exposure";
import { parseManifests } from "../../../mesh/manifests";
import { runProgram, UNKNOWN, valueOf } from "../support";

const OWNER = { "pulumi-istio-vm/owner": "me" };

describe("IstioControlPlane", () => {
  const manifest = parseManifests(`
apiVersion: v1
kind: Service
metadata: {name: istio-ingressgateway, namespace: istio-system, labels: {app: gateway}}
spec: {type: LoadBalancer, ports: [{port: 80}]}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: istio-sidecar-injector}
webhooks: [{name: a, failurePolicy: Fail, clientConfig: {caBundle: "", service: {name: istiod}}}]
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gateways.networking.istio.io}
spec: {group: networking.istio.io}`);
  const args: IstioControlPlaneArgs = { manifest, exposed: ["istio-ingressgateway"], owner: "me" };
  const make = (changes: Partial<IstioControlPlaneArgs> = {}) =>
    runProgram(() => new IstioControlPlane("istio", { ...args, ...changes }));

  it("makes each object a resource: definitions, then configuration, then what runs", async () => {
    const { resources, find } = await make();
    const crd = "istio-CustomResourceDefinition/gateways.networking.istio.io";
    const webhook = "istio-MutatingWebhookConfiguration/istio-sidecar-injector";
    const service = "istio-Service/istio-system/istio-ingressgateway";
    assert.deepEqual(
      resources.map(({ type, name, parent, dependencies }) => [type, name, parent, dependencies]),
      [
        ["istio-vm:index:IstioControlPlane", "istio", undefined, []],
        ["kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition", crd, "istio", []],
        ["kubernetes:admissionregistration.k8s.io/v1:MutatingWebhookConfiguration", webhook, "istio", [crd]],
        ["kubernetes:core/v1:Service", service, "istio", [crd, webhook]],
      ],
    );

    assert.deepEqual(find(service).inputs, {
      apiVersion: "v1",
      kind: "Service",
      metadata: {
        ...{ name: "istio-ingressgateway", namespace: "istio-system", labels: { app: "gateway", ...OWNER } },
        annotations: { "pulumi.com/patchForce": "true" },
      },
      spec: { ports: [{ port: 80 }] },
    });
    assert.deepEqual(find(webhook).inputs, {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "MutatingWebhookConfiguration",
      metadata: { name: "istio-sidecar-injector", labels: OWNER },
      webhooks: [{ name: "a", clientConfig: { service: { name: "istiod" } } }],
    });
  });

  it("leaves the type of a Service as it is that nobody else sets", async () => {
    const { find } = await make({ exposed: undefined });
    const { spec } = find("istio-Service/istio-system/istio-ingressgateway").inputs;
    assert.equal((spec as { type: string }).type, "LoadBalancer");
  });

  it("fails when the manifest has a core kind that there is not", async () => {
    const gadget = { apiVersion: "v1", kind: "Gadget", metadata: { name: "a" } };
    await assert.rejects(make({ manifest: [gadget] }), /^Error: @pulumi\/kubernetes has no kind v1\/Gadget$/);
  });
});

describe("MeshExpansion", () => {
  const { passed: ports } = exposureOf({ type: "LoadBalancer" }, { installed: true });
  const gateway = { namespace: "istio-system", selector: { istio: "ingressgateway" } };
  const make = (istiods: MeshExpansionArgs["istiods"], more: Partial<MeshExpansionArgs> = {}) =>
    runProgram(
      () =>
        new MeshExpansion("expansion", {
          ports,
          istiods,
          gateway,
          clusterDomain: "cluster.local",
          owner: "me",
          ...more,
        }),
    );

  it("tells revisions apart by the name that a host dials", async () => {
    const { find } = await make(
      ["istiod", "istiod-canary"].map((service) => ({ service, namespace: "istio-system" })),
      { ports: ports.slice(0, 1), gateway: { namespace: "edge", selector: { istio: "edge" } }, clusterDomain: "x" },
    );
    const { metadata, spec } = find("expansion-meshexpansion-vs-istiod").inputs as {
      metadata: { namespace: string };
      spec: object;
    };
    assert.equal(metadata.namespace, "edge");
    assert.deepEqual(
      (spec as { tls: object }).tls,
      ["istiod", "istiod-canary"].map((service) => ({
        match: [{ port: 15012, sniHosts: [`${service}.istio-system.svc`] }],
        route: [{ destination: { host: `${service}.istio-system.svc.x`, port: { number: 15012 } } }],
      })),
    );
    assert.ok(find("expansion-meshexpansion-dr-istiod-canary"));
  });

  it("passes istiod's ports through the gateway without ending TLS", async () => {
    const { resources, find } = await make([{ service: "istiod", namespace: "istio-system" }]);
    const metadata = (name: string) => ({ name, namespace: "istio-system", labels: OWNER });
    const host = "istiod.istio-system.svc.cluster.local";
    const tls = (name: string, number: number) => ({
      port: { name, number, protocol: "TLS" },
      tls: { mode: "PASSTHROUGH" },
      hosts: ["*"],
    });
    const route = (port: number, istiod: number) => ({
      match: [{ port, sniHosts: ["*"] }],
      route: [{ destination: { host, port: { number: istiod } } }],
    });
    const plain = (number: number) => ({ port: { number }, tls: { mode: "DISABLE" } });
    const expected: [string, string, object][] = [
      [
        "Gateway",
        "meshexpansion-gateway",
        { selector: { istio: "ingressgateway" }, servers: [tls("tls-istiod", 15012), tls("tls-webhook", 15017)] },
      ],
      [
        "VirtualService",
        "meshexpansion-vs-istiod",
        { hosts: ["*"], gateways: ["meshexpansion-gateway"], tls: [route(15012, 15012), route(15017, 443)] },
      ],
      [
        "DestinationRule",
        "meshexpansion-dr-istiod",
        { host, exportTo: ["."], trafficPolicy: { portLevelSettings: [plain(15012), plain(443)] } },
      ],
    ];
    assert.equal(resources.length, 1 + expected.length);
    for (const [kind, name, spec] of expected) {
      const { type, parent, inputs } = find(`expansion-${name}`);
      assert.deepEqual([type, parent], [`kubernetes:networking.istio.io/v1:${kind}`, "expansion"]);
      assert.deepEqual(inputs, { apiVersion: "networking.istio.io/v1", kind, metadata: metadata(name), spec });
    }
  });
});

describe("ControlPlaneExposure", () => {
  const port = (port: number, nodePort?: number) => ({ port, nodePort });
  const nodePorts = { spec: { ports: [port(443, 30001), port(15012, 31794)] } };
  const istiod = {
    service: "istiod",
    namespace: "istio-system",
    selector: { app: "istiod", "istio.io/rev": "default" },
  };
  const canary = { ...istiod, service: "istiod-canary", selector: { app: "istiod", "istio.io/rev": "canary" } };
  const theirs = { service: "edge", namespace: "istio-ingress", selector: { istio: "edge" }, portName: "tls-istiod" };
  const ours = { ...EAST_WEST_GATEWAY, namespace: "istio-vm" };
  const make = (
    args: ExposureArgs,
    outputs: object,
    {
      preview = false,
      installed = true,
      ...more
    }: { preview?: boolean; installed?: boolean } & Partial<ControlPlaneExposureArgs> = {},
  ) =>
    runProgram(
      () =>
        new ControlPlaneExposure("exposure", {
          exposure: exposureOf(args, { installed }),
          istiods: [istiod],
          owner: "me",
          ...more,
        }),
      { outputs: () => outputs, preview },
    );
  const node: ExposureArgs = { type: "NodePort", nodeAddresses: ["192.168.17.150", "192.168.17.151"] };
  const balancer: ExposureArgs = { type: "LoadBalancer" };
  const ingress = (...entries: object[]) => ({ status: { loadBalancer: { ingress: entries } } });
  const place = async ({ result }: Awaited<ReturnType<typeof make>>, service = "istiod") => {
    const { addresses, port } = result.of(service);
    return [await valueOf(addresses), await valueOf(port)];
  };
  const tcp = (name: string, port: number) => ({ name, port, targetPort: port, protocol: "TCP" });

  const atAllNodes = { type: "NodePort", ipFamilyPolicy: "PreferDualStack" };
  for (const [args, outputs, specs, addresses, number] of [
    [node, nodePorts, [atAllNodes, atAllNodes], ["192.168.17.150", "192.168.17.151"], 31794],
    [balancer, ingress({ ip: "1.2.3.4" }), [{ type: "ClusterIP" }, { type: "LoadBalancer" }], ["1.2.3.4"], 15012],
  ] as const) {
    it(`by ${args.type} patches both Services of an Istio of ours by force, and says where istiod is`, async () => {
      const made = await make(args, outputs);
      assert.equal(made.resources.length, 3);
      for (const [n, name] of ["istiod", "istio-ingressgateway"].entries()) {
        const { type, parent, inputs } = made.find(`exposure-${name}`);
        assert.deepEqual([type, parent], ["kubernetes:core/v1:ServicePatch", "exposure"]);
        assert.deepEqual(inputs, {
          apiVersion: "v1",
          kind: "Service",
          metadata: { name, namespace: "istio-system", annotations: { "pulumi.com/patchForce": "true" } },
          spec: specs[n],
        });
      }
      assert.deepEqual(await place(made), [addresses, number]);
    });
  }

  it("by NodePort makes a Service of our own beside each istiod that is there, for 15012 alone", async () => {
    const made = await make(
      node,
      { spec: { ports: [port(15012, 30012)] } },
      { installed: false, istiods: [istiod, canary] },
    );
    assert.deepEqual(
      made.resources.slice(1).map(({ type, inputs }) => [type, inputs.metadata, inputs.spec]),
      [istiod, canary].map(({ service, namespace, selector }) => [
        "kubernetes:core/v1:Service",
        { name: `${service}-vm`, namespace, labels: OWNER },
        { type: "NodePort", selector, ports: [tcp("tls-istiod", 15012)], ipFamilyPolicy: "PreferDualStack" },
      ]),
    );
    assert.deepEqual(await place(made, "istiod-canary"), [["192.168.17.150", "192.168.17.151"], 30012]);
  });

  it("by LoadBalancer adds a port to the gateway that is there, without force, and changes nothing else", async () => {
    const made = await make(balancer, ingress({ hostname: "lb.example.com" }), { installed: false, gateway: theirs });
    const [, { type, inputs }, ...others] = made.resources as [unknown, (typeof made.resources)[number]];
    assert.deepEqual(others, []);
    assert.equal(type, "kubernetes:core/v1:ServicePatch");
    assert.deepEqual(inputs.metadata, { name: "edge", namespace: "istio-ingress", annotations: {} });
    assert.deepEqual(inputs.spec, { ports: [tcp("tls-istiod", 15012)] });
    assert.deepEqual(await place(made), [["lb.example.com"], 15012]);
  });

  it("compares nothing of that gateway while it has the port, and adds it again when it was lost", async () => {
    for (const carriesIstiod of [true, false]) {
      const gateway = { ...theirs, carriesIstiod };
      const made = await make(balancer, ingress({ ip: "1.2.3.4" }), { installed: false, gateway });
      assert.deepEqual(made.find("exposure-edge").ignoreChanges, carriesIstiod ? ["spec"] : []);
    }
  });

  for (const [what, args, outputs, type, addresses, number] of [
    ["a load balancer", { type: "EastWestGateway" }, ingress({ ip: "1.2.3.4" }), "LoadBalancer", ["1.2.3.4"], 15012],
    [
      "nodes",
      { type: "EastWestGateway", nodeAddresses: ["10.0.0.1"] },
      { spec: { ports: [port(15012, 30012)] } },
      "NodePort",
      ["10.0.0.1"],
      30012,
    ],
  ] as const) {
    it(`by EastWestGateway makes a Service of our own, reached by ${what}`, async () => {
      for (const installed of [true, false]) {
        const made = await make(args as ExposureArgs, outputs, { installed, gateway: ours });
        assert.equal(made.resources.length, 2);
        const { inputs } = made.find("exposure-istio-vm-gateway");
        assert.deepEqual(inputs.metadata, { name: "istio-vm-gateway", namespace: "istio-vm", labels: OWNER });
        const ports = [tcp("tls-istiod", 15012)];
        assert.deepEqual(inputs.spec, { type, selector: ours.selector, ports, ipFamilyPolicy: "PreferDualStack" });
        assert.deepEqual(await place(made), [addresses, number]);
      }
    });
  }

  it("opens the port between networks only where networks differ", async () => {
    const made = await make({ type: "EastWestGateway" }, ingress({ ip: "1.2.3.4" }), {
      gateway: ours,
      network: "net1",
    });
    const { metadata, spec } = made.find("exposure-istio-vm-gateway").inputs as { metadata: object; spec: object };
    assert.deepEqual(metadata, {
      name: "istio-vm-gateway",
      namespace: "istio-vm",
      labels: { "topology.istio.io/network": "net1", ...OWNER },
    });
    assert.deepEqual((spec as { ports: object[] }).ports, [tcp("tls-istiod", 15012), tcp("tls", 15443)]);
  });

  it("by Address makes nothing", async () => {
    const made = await make({ type: "Address", address: "istiod.example.com", port: 443 }, {}, { installed: false });
    assert.deepEqual([made.resources.length, await place(made)], [1, [["istiod.example.com"], 443]]);
  });

  it("takes all addresses of a load balancer, and a name only where it has none", async () => {
    const of = async (...entries: object[]) => (await place(await make(balancer, ingress(...entries))))[0];
    assert.deepEqual(await of({ ip: "1.2.3.4" }, { ip: "1.2.3.5" }, { hostname: "a.x" }), ["1.2.3.4", "1.2.3.5"]);
    assert.deepEqual(await of({ hostname: "a.x" }, { hostname: "b.x" }), ["a.x"]);
  });

  it("needs the address of a node for NodePort", async () => {
    await assert.rejects(
      make({ type: "NodePort", nodeAddresses: [] }, nodePorts),
      /^Error: exposure: a NodePort exposure needs nodeAddresses, those of nodes as seen from the hosts$/,
    );
  });

  for (const [what, args, outputs, error] of [
    ["no node port", node, { spec: { ports: [port(15012)] } }, /reach istiod has no node port for 15012/],
    ["no port", node, { spec: {} }, /reach istiod has no node port for 15012/],
    ["no balancer yet", balancer, {}, /the load balancer by which hosts reach istiod has no address yet/],
    ["no ingress yet", balancer, ingress(), /the load balancer by which hosts reach istiod has no address yet/],
  ] as const) {
    it(`fails when there is ${what}, but not in a preview`, async () => {
      await assert.rejects(make(args, outputs), error);
      const [addresses, number] = await place(await make(args, outputs, { preview: true }));
      const value = args.type === "NodePort" ? number : addresses;
      assert.ok(value === undefined || value === UNKNOWN, String(value));
    });
  }
});

describe("EastWestGateway", () => {
  const make = (changes: Partial<EastWestGatewayArgs> = {}) =>
    runProgram(
      () =>
        new EastWestGateway("gateway", {
          namespace: "istio-vm",
          revision: "default",
          clusterDomain: "cluster.local",
          owner: "me",
          ...changes,
        }),
    );
  const podOf = async (changes?: Partial<EastWestGatewayArgs>) => {
    const { spec } = (await make(changes)).find("gateway-deployment").inputs as {
      spec: { template: { metadata: { labels: object; annotations: object }; spec: object } };
    };
    return spec.template;
  };

  it("is a pod into which Istio puts its gateway, with an account of its own", async () => {
    const { resources } = await make();
    assert.deepEqual(
      resources.map(({ name }) => name),
      ["gateway", "gateway-account", "gateway-deployment"],
    );
    assert.deepEqual(await podOf(), {
      metadata: {
        labels: { istio: "vm-gateway", "sidecar.istio.io/inject": "true" },
        annotations: { "inject.istio.io/templates": "gateway" },
      },
      spec: {
        serviceAccountName: "istio-vm-gateway",
        containers: [{ name: "istio-proxy", image: "auto", imagePullPolicy: "IfNotPresent", env: [] }],
      },
    });
  });

  it("is of the revision that hosts belong to", async () => {
    const { metadata } = await podOf({ revision: "canary" });
    assert.deepEqual(metadata.labels, { istio: "vm-gateway", "istio.io/rev": "canary" });
  });

  it("lets services through to other networks only where there are some", async () => {
    const made = await make({ network: "net1" });
    const { inputs } = made.find("gateway-cross-network");
    assert.deepEqual(inputs.spec, {
      selector: { istio: "vm-gateway" },
      servers: [
        {
          port: { name: "tls", number: 15443, protocol: "TLS" },
          tls: { mode: "AUTO_PASSTHROUGH" },
          hosts: ["*.cluster.local"],
        },
      ],
    });
  });
});
