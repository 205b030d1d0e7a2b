import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ExternalService } from "../../../components/externalService";
import { SampleClient } from "../../../components/sampleClient";
import { detectServiceCidr } from "../../../tools/serviceCidr";
import { sha256 } from "../../../mesh/hostState";
import { serviceEntrySpec, serviceSpec, type ServicePort } from "../../../mesh/externalService";
import { runProgram, valueOf, withCommands, withDirectory } from "../support";

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

describe("detectServiceCidr", () => {
  const refused = `echo 'The range of valid IPs is 10.97.0.0/16' >&2; exit 1`;
  const kubectl = (get: string, create = "exit 99") => ({
    kubectl: `case "$*" in *" get servicecidrs.networking.k8s.io --output=json") ${get} ;;
      *" create service clusterip "*" --dry-run=server") ${create} ;;
      *) echo "unexpected: $*" >&2; exit 98 ;; esac`,
  });
  const none = `echo "error: the server doesn't have a resource type \\"servicecidrs\\"" >&2; exit 1`;
  const forbidden = `echo 'Error from server (Forbidden): servicecidrs is forbidden' >&2; exit 1`;
  const detect = (commands: Record<string, string>) => withCommands(commands, () => detectServiceCidr({}), "/usr/none");

  for (const [what, commands, range] of [
    [
      "ServiceCIDR objects",
      kubectl(`echo '{"items": [{"spec": {"cidrs": ["10.96.0.0/16", "fd00::/108"]}}]}'`),
      "10.96.0.0/16,fd00::/108",
    ],
    ["the refusal, where there is no such kind", kubectl(none, refused), "10.97.0.0/16"],
    ["the refusal, where one may not read it", kubectl(forbidden, refused), "10.97.0.0/16"],
    ["the refusal, where there is no object", kubectl(`echo '{"items": []}'`, refused), "10.97.0.0/16"],
    ["nowhere: *", kubectl(none, "echo forbidden >&2; exit 1"), "*"],
    ["nowhere, when nobody refuses: *", kubectl(none, "exit 0"), "*"],
  ] as const) {
    it(`takes it from ${what}`, async () => assert.equal(await detect(commands), range));
  }

  it("says when kubectl is missing or the cluster does not answer", async () => {
    await assert.rejects(
      detect({}),
      /^Error: serviceCidr: auto needs kubectl on the PATH; or set serviceCidr to the range$/,
    );
    await assert.rejects(
      detect(kubectl("echo 'connection refused' >&2; exit 1")),
      /^Error: serviceCidr: auto could not ask the cluster: connection refused$/,
    );
  });

  it("asks the cluster that is configured, with a limit of time", () =>
    withDirectory(async (directory) => {
      const log = join(directory, "log");
      const commands = { kubectl: `echo "$*" >>'${log}'; ${forbidden}` };
      await withCommands(
        commands,
        () => detectServiceCidr({ kubeconfig: "/a b/config", context: "east" }),
        "/usr/none",
      );
      const asked = readFileSync(log, "utf8").trim().split("\n");
      assert.equal(asked.length, 2);
      for (const line of asked) assert.match(line, /^--kubeconfig \/a b\/config --context east --request-timeout=10s /);
    }));
});
