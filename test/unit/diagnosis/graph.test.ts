import assert from "node:assert/strict";
import { renderGraph } from "../../../diagnosis/graph";
import { meshStatus } from "../../../diagnosis/status";
import { healthyFacts } from "./checks/facts";

describe("renderGraph", () => {
  it("draws a healthy mesh", async () => {
    const { config, owner, outputs, hosts, now } = await healthyFacts();
    const graph = renderGraph(
      config!,
      outputs,
      meshStatus({ config: config!, owner, outputs }, hosts, undefined, now),
      [],
      now,
    );
    assert.deepEqual(graph.split("\n").slice(0, 17), [
      "flowchart LR",
      "  subgraph clients [who may call]",
      '    client_every_workload_of_the_mesh(["every workload of the mesh"])',
      "  end",
      '  subgraph cluster ["cluster Kubernetes"]',
      '    istiod["istiod<br/>1.31.0<br/>192.0.2.10:31794"]:::ok',
      '    service_web_vm{{"web.vm<br/>HTTP 8080"}}:::ok',
      "  end",
      "  subgraph machines [virtual machines and bare metal]",
      ...hosts.map(
        ({ name }, index) =>
          `    host_${name}["${name}<br/>192.0.2.2${index + 1}<br/>1.31.0<br/>certificate: ${graph.match(/certificate: (.*?)"/)![1]}"]:::ok`,
      ),
      "  end",
      "  service_web_vm ==>|mutual TLS| host_vm1",
      "  service_web_vm ==>|mutual TLS| host_vm2",
      "  client_every_workload_of_the_mesh --> service_web_vm",
      "  istiod <-. configuration .-> host_vm1",
      "  istiod <-. configuration .-> host_vm2",
    ]);
  });

  it("takes the policies of istiod's namespace for everybody's", async () => {
    const { config, owner, outputs, hosts, now } = await healthyFacts();
    outputs!.controlPlanes.default!.namespace = "mesh";
    const denied = (namespace: string) => {
      const policies = [{ metadata: { name: "none", namespace }, spec: {} }];
      const status = meshStatus({ config: config!, owner, outputs }, hosts, undefined, now);
      return !renderGraph(config!, outputs, status, policies, now).includes("every workload of the mesh");
    };
    assert.deepEqual([denied("mesh"), denied("istio-system")], [true, false]);
  });

  it("draws who may call, who may not, and a host that is out of touch; quotes can't end a text", async () => {
    const facts = await healthyFacts();
    const { config, owner, outputs, now } = facts;
    facts.hosts[1] = { name: "vm2", failure: { kind: "login", message: 'it said "no"' } };
    const principal = "cluster.local/ns/default/sa/sleep";
    const rules = [{ from: [{ source: { principals: [principal] } }] }];
    const policies = ["ALLOW", "DENY"].map((action) => ({
      metadata: { name: action, namespace: "vm" },
      spec: { action, rules },
    }));
    const graph = renderGraph(
      config!,
      outputs,
      meshStatus({ config: config!, owner, outputs }, facts.hosts, undefined, now),
      policies,
      now,
    );
    const client = "client_cluster_local_ns_default_sa_sleep";
    assert.match(graph, new RegExp(`^ +${client}\\(\\["${principal}"\\]\\)$`, "m"));
    assert.match(graph, new RegExp(`^ +${client} --> service_web_vm$`, "m"));
    assert.match(graph, new RegExp(`^ +${client} -\\. denied \\.-x service_web_vm$`, "m"));
    assert.match(graph, /^ +host_vm2\["vm2<br\/>192\.0\.2\.22<br\/>it said #34;no#34;"\]:::error$/m);
    assert.match(graph, /^ +service_web_vm\{\{.*\}\}:::warning$/m);
    assert.doesNotMatch(graph, /every_workload|istiod .*host_vm2/);
  });

  it("says that it does not know who may call where the policies could not be read", async () => {
    const { config, owner, outputs, hosts, now } = await healthyFacts();
    const status = meshStatus({ config: config!, owner, outputs }, hosts, undefined, now);
    const graph = renderGraph(config!, outputs, status, undefined, now);
    assert.match(graph, /^ +client_(\w+)\(\["not known: .*"\]\)$/m);
    assert.match(graph, /^ +client_not_known\w+ -\.-> service_web_vm$/m);
    assert.doesNotMatch(graph, /every_workload/);
  });
});
