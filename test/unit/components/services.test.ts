import assert from "node:assert/strict";
import { ExternalService } from "../../../components/externalService";
import { SampleClient } from "../../../components/sampleClient";
import { sha256 } from "../../../mesh/digest";
import { serviceEntrySpec, serviceSpec, type ServicePort } from "../../../mesh/externalService";
import { runProgram, valueOf } from "../support";

const OWNER = { "pulumi-istio-vm/owner": "me" };

describe("ExternalService", () => {
  it("is a Service and a ServiceEntry of one name", async () => {
    const ports: ServicePort[] = [{ port: 80, targetPort: 8080, protocol: "HTTP" }];
    const endpoints = [{ address: "10.0.0.1", serviceAccount: "default", labels: { app: "web" } }];
    const args = { serviceName: "web", namespace: "vm", ports, endpoints, clusterDomain: "example.org", owner: "me" };
    const { resources, find, result } = await runProgram(() => new ExternalService("service-vm-web", args));
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
      metadata: {
        ...metadata,
        labels: { ...OWNER, "pulumi-istio-vm/endpoints": sha256(JSON.stringify(endpoints)).slice(0, 16) },
      },
      spec: serviceEntrySpec("web.vm.svc.example.org", ports, endpoints),
    });
    assert.equal(await valueOf(result.url), "http://web.vm.svc.example.org:80");
  });
});

describe("ExternalService with hosts of other namespaces", () => {
  it("expects their identities as well, in both objects, of which Istio takes either", async () => {
    const endpoint = (address: string, identity?: string) => ({
      address,
      serviceAccount: "default",
      labels: {},
      identity,
    });
    const [a, b] = ["spiffe://x/ns/a/sa/default", "spiffe://x/ns/b/sa/default"];
    const endpoints = [endpoint("10.0.0.1", b), endpoint("10.0.0.2"), endpoint("10.0.0.3", a), endpoint("10.0.0.4", a)];
    const ports: ServicePort[] = [{ port: 80, protocol: "HTTP" }];
    const args = { serviceName: "web", namespace: "vm", ports, endpoints, owner: "me" };
    const { find } = await runProgram(() => new ExternalService("service-vm-web", args));
    assert.deepEqual((find("service-vm-web-service").inputs.metadata as { annotations: object }).annotations, {
      "alpha.istio.io/canonical-serviceaccounts": `${a},${b}`,
    });
    const { subjectAltNames, endpoints: written } = find("service-vm-web-entry").inputs.spec as {
      subjectAltNames: string[];
      endpoints: object[];
    };
    assert.deepEqual(subjectAltNames, [a, b]);
    assert.ok(
      written.every((each) => !("identity" in each)),
      "no field of a ServiceEntry",
    );
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
