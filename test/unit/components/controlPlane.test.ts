import assert from "node:assert/strict";
import { ControlPlaneExposure, type ControlPlaneExposureArgs } from "../../../components/controlPlaneExposure";
import { IstioControlPlane, type IstioControlPlaneArgs } from "../../../components/istioControlPlane";
import { MeshExpansion } from "../../../components/meshExpansion";
import { exposureOf } from "../../../mesh/exposure";
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
      metadata: { name: "istio-ingressgateway", namespace: "istio-system", labels: { app: "gateway", ...OWNER } },
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
  it("passes istiod's ports through the gateway without ending TLS", async () => {
    const { passed } = exposureOf({ type: "LoadBalancer" });
    const { resources, find } = await runProgram(() => new MeshExpansion("expansion", { ports: passed, owner: "me" }));
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
        { host, trafficPolicy: { portLevelSettings: [plain(15012), plain(443)] } },
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
  const nodePorts = {
    spec: {
      ports: [
        { port: 443, nodePort: 30001 },
        { port: 15012, nodePort: 31794 },
      ],
    },
  };
  const make = (args: ControlPlaneExposureArgs, outputs: object, preview = false) =>
    runProgram(() => new ControlPlaneExposure("exposure", args), { outputs: () => outputs, preview });
  const node = { type: "NodePort", nodeAddress: "192.168.17.150" } as const;
  const balancer = { type: "LoadBalancer" } as const;
  const ingress = (entry?: object) => ({ status: { loadBalancer: { ingress: entry && [entry] } } });

  for (const [args, outputs, types, address, port] of [
    [node, nodePorts, ["NodePort", "NodePort"], "192.168.17.150", 31794],
    [balancer, ingress({ ip: "1.2.3.4" }), ["ClusterIP", "LoadBalancer"], "1.2.3.4", 15012],
  ] as const) {
    it(`by ${args.type} patches both Services by force, and says where istiod is`, async () => {
      const { resources, find, result } = await make(args, outputs);
      assert.equal(resources.length, 3);
      for (const [n, name] of ["istiod", "istio-ingressgateway"].entries()) {
        const { type, parent, inputs } = find(`exposure-${name}`);
        assert.deepEqual([type, parent], ["kubernetes:core/v1:ServicePatch", "exposure"]);
        assert.deepEqual(inputs, {
          apiVersion: "v1",
          kind: "Service",
          metadata: { name, namespace: "istio-system", annotations: { "pulumi.com/patchForce": "true" } },
          spec: { type: types[n] },
        });
      }
      assert.deepEqual([await valueOf(result.address), await valueOf(result.port)], [address, port]);
    });
  }

  it("needs the address of a node for NodePort", async () => {
    await assert.rejects(
      make({ type: "NodePort" } as ControlPlaneExposureArgs, nodePorts),
      /^Error: exposure: a NodePort exposure needs nodeAddress, the address of a node as seen from the hosts$/,
    );
  });

  for (const [what, args, outputs, error] of [
    ["no node port", node, { spec: { ports: [{ port: 15012 }] } }, /the Service istiod has no node port for 15012/],
    ["no port", node, { spec: {} }, /the Service istiod has no node port for 15012/],
    ["no balancer yet", balancer, {}, /the load balancer of istio-ingressgateway has no address yet/],
    ["no ingress yet", balancer, ingress(), /the load balancer of istio-ingressgateway has no address yet/],
    ["a name only", balancer, ingress({ hostname: "lb.x" }), /has only the name lb\.x; hosts need an IP address/],
  ] as const) {
    it(`fails when there is ${what}, but not in a preview`, async () => {
      await assert.rejects(make(args, outputs), error);
      const { result } = await make(args, outputs, true);
      const value = await valueOf(args.type === "NodePort" ? result.port : result.address);
      assert.ok(value === undefined || value === UNKNOWN, String(value));
    });
  }
});
