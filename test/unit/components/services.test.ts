import assert from "node:assert/strict";
import { ExternalService } from "../../../components/externalService";
import { MeshWorkload } from "../../../components/meshWorkload";
import { SampleClient } from "../../../components/sampleClient";
import { ServiceMembership } from "../../../components/serviceMembership";
import { ServiceTraffic } from "../../../components/serviceTraffic";
import { namesByNamespace, serviceEntrySpec, serviceSpec, type ServicePort } from "../../../mesh/externalService";
import { servesLabels, workloadEntrySpec } from "../../../mesh/workloadEntry";
import { runProgram, valueOf } from "../support";

const OWNER = { "pulumi-istio-vm/owner": "me" };

describe("ExternalService", () => {
  const ports: ServicePort[] = [{ port: 80, targetPort: 8080, protocol: "HTTP" }];
  const args = { serviceName: "web", namespace: "vm", ports, owner: "me" };

  it("is a Service and a ServiceEntry of one name", async () => {
    const { resources, find, result } = await runProgram(
      () => new ExternalService("service-vm-web", { ...args, clusterDomain: "example.org" }),
    );
    assert.deepEqual(resources.map(({ type, name, parent }) => [type, name, parent]).sort(), [
      ["istio-vm:index:ExternalService", "service-vm-web", undefined],
      ["kubernetes:core/v1:Service", "service-vm-web-service", "service-vm-web"],
      ["kubernetes:networking.istio.io/v1:ServiceEntry", "service-vm-web-entry", "service-vm-web"],
    ]);
    const metadata = { name: "web", namespace: "vm", labels: OWNER };
    assert.deepEqual(find("service-vm-web-service").inputs, {
      apiVersion: "v1",
      kind: "Service",
      metadata,
      spec: serviceSpec(ports),
    });
    assert.deepEqual(find("service-vm-web-entry").inputs, {
      apiVersion: "networking.istio.io/v1",
      kind: "ServiceEntry",
      metadata,
      spec: serviceEntrySpec("web.vm.svc.example.org", "web", ports, []),
    });
    assert.equal(await valueOf(result.url), "http://web.vm.svc.example.org:80");
  });

  it("expects identities of other namespaces as well, in both objects, of which Istio takes either", async () => {
    const foreignIdentities = ["spiffe://x/ns/a/sa/default", "spiffe://x/ns/b/sa/default"];
    const { find } = await runProgram(() => new ExternalService("service-vm-web", { ...args, foreignIdentities }));
    assert.deepEqual((find("service-vm-web-service").inputs.metadata as { annotations: object }).annotations, {
      "alpha.istio.io/canonical-serviceaccounts": foreignIdentities.join(","),
    });
    const { subjectAltNames } = find("service-vm-web-entry").inputs.spec as { subjectAltNames: string[] };
    assert.deepEqual(subjectAltNames, foreignIdentities);
  });
});

describe("ServiceTraffic", () => {
  it("is a DestinationRule: a trafficPolicy as it is wished for, or by plain text", async () => {
    const outlierDetection = { consecutive5xxErrors: 2 };
    const trafficPolicy = { outlierDetection, portLevelSettings: [{ port: { number: 80 }, loadBalancer: {} }] };
    const specOf = async (more: object) => {
      const args = { serviceName: "web", namespace: "vm", owner: "me", ...more };
      const { find } = await runProgram(() => new ServiceTraffic("t", args));
      const { spec, ...rest } = find("t-rule").inputs;
      const metadata = { name: "web", namespace: "vm", labels: OWNER };
      assert.deepEqual(rest, { apiVersion: "networking.istio.io/v1", kind: "DestinationRule", metadata });
      return spec;
    };
    const host = "web.vm.svc.cluster.local";
    assert.deepEqual(await specOf({ trafficPolicy }), { host, trafficPolicy });
    const tls = { mode: "DISABLE" };
    assert.deepEqual(await specOf({ plain: true }), { host, trafficPolicy: { tls } });
    assert.deepEqual(await specOf({ plain: true, trafficPolicy }), {
      host,
      trafficPolicy: { outlierDetection, tls, portLevelSettings: [{ port: { number: 80 }, loadBalancer: {}, tls }] },
    });
  });
});

describe("a host that serves", () => {
  const workload = { address: "10.0.0.1", serviceAccount: "a", labels: { app: "a" } };
  const ports: ServicePort[] = [{ port: 80, targetPort: 8080, protocol: "HTTP" }];
  const services = ["vm/web", "vm/db", "other/web"].map((one) => {
    const [namespace, name] = one.split("/") as [string, string];
    return { namespace, name, ports };
  });
  const serving = (more: object = {}, args: object = {}) =>
    runProgram(() => {
      const both = { host: "h", owner: "me", workload: { ...workload, ...more } };
      const known = new MeshWorkload("h-workload", { ...both, namespace: "vm", services, ...args });
      const names = namesByNamespace(services);
      new ServiceMembership("h-membership", { ...both, services: names }, { dependsOn: known });
    });

  it("has an entry in each namespace of its services, which they select", async () => {
    const { resources, find } = await serving();
    assert.deepEqual(
      resources
        .filter(({ parent }) => parent)
        .map(({ type, name, parent }) => [type, name, parent])
        .sort(),
      [
        ["kubernetes:networking.istio.io/v1:ServiceEntry", "h-workload-other/web", "h-workload"],
        ["kubernetes:networking.istio.io/v1:ServiceEntry", "h-workload-vm/db", "h-workload"],
        ["kubernetes:networking.istio.io/v1:ServiceEntry", "h-workload-vm/web", "h-workload"],
        ["kubernetes:networking.istio.io/v1:WorkloadEntry", "h-membership-other", "h-membership"],
        ["kubernetes:networking.istio.io/v1:WorkloadEntry", "h-membership-vm", "h-membership"],
      ],
    );
    assert.deepEqual(find("h-membership-vm").inputs, {
      ...{ apiVersion: "networking.istio.io/v1", kind: "WorkloadEntry" },
      metadata: { name: "h", namespace: "vm", labels: { ...OWNER, ...servesLabels(["web", "db"]) } },
      spec: workloadEntrySpec(workload),
    });
    assert.ok(find("h-membership-vm").dependencies.includes("h-workload-vm/web"));
  });

  it("has a sidecar that takes what comes for its services, of whichever namespace, as nobody else can see", async () => {
    const { find } = await serving({ network: "n" });
    assert.deepEqual(find("h-workload-other/web").inputs, {
      ...{ apiVersion: "networking.istio.io/v1", kind: "ServiceEntry" },
      metadata: { name: "web.other.h", namespace: "vm", labels: OWNER },
      spec: {
        hosts: ["web.other.svc.cluster.local.h.pulumi-istio-vm"],
        exportTo: ["~"],
        ...{ location: "MESH_INTERNAL", resolution: "STATIC" },
        ports: [{ name: "http-80", number: 80, protocol: "HTTP", targetPort: 8080 }],
        endpoints: [{ ...workload, network: "n" }],
      },
    });
  });

  it("that is probed has one that is no endpoint until its sidecar says so, from before it joins", async () => {
    const { find } = await serving({}, { probed: { serves: ["web"] } });
    assert.deepEqual(find("h-workload-probed").inputs, {
      ...{ apiVersion: "networking.istio.io/v1", kind: "WorkloadEntry" },
      metadata: {
        ...{ name: "h.probed", namespace: "vm" },
        annotations: { "proxy.istio.io/health-checks-enabled": "true" },
        labels: { ...OWNER, ...servesLabels(["web"]) },
      },
      spec: workloadEntrySpec(workload),
    });
  });
});

describe("SampleClient", () => {
  it("is a pod that asks for a sidecar, with an account of its own", async () => {
    const args = { namespace: "default", image: "curl:1", owner: "me" };
    const { resources, find } = await runProgram(() => new SampleClient("sleep", args));
    assert.deepEqual(
      resources.map(({ type, name, parent }) => [type, name, parent]),
      [
        ["istio-vm:index:SampleClient", "sleep", undefined],
        ["kubernetes:core/v1:ServiceAccount", "sleep-account", "sleep"],
        ["kubernetes:apps/v1:Deployment", "sleep-deployment", "sleep"],
      ],
    );
    const metadata = { name: "sleep", namespace: "default", labels: OWNER };
    assert.deepEqual(find("sleep-account").inputs.metadata, metadata);
    const { metadata: own, spec } = find("sleep-deployment").inputs;
    assert.deepEqual(own, metadata);
    assert.deepEqual(spec, {
      replicas: 1,
      selector: { matchLabels: { app: "sleep" } },
      template: {
        metadata: { labels: { app: "sleep", "sidecar.istio.io/inject": "true" } },
        spec: {
          serviceAccountName: "sleep",
          terminationGracePeriodSeconds: 0,
          containers: [{ name: "sleep", image: "curl:1", command: ["/bin/sleep", "infinity"] }],
        },
      },
    });
  });
});
