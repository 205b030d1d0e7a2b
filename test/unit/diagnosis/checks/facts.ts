/** A mesh in which all is well, as doctor sees it: what the tests of the checks break. */
import assert from "node:assert/strict";
import { parseConfig } from "../../../../config";
import { fingerprint } from "../../../../mesh/certificates";
import { type Inspected, wasInspected } from "../../../../diagnosis/checks/check";
import { type ClusterFacts, type Facts, type HostFacts, isAvailable } from "../../../../diagnosis/facts";
import { parseSocket } from "../../../../diagnosis/sockets";
import { pki, spiffe } from "./pki";

const NOW = new Date("2026-06-01T12:00:00Z");
const OWNER = "0123456789abcdef";
export const OTHER_OWNER = "fedcba9876543210";

const host = (name: string, address: string) => ({
  name,
  address,
  namespace: "vm",
  serviceAccount: "default",
  inboundPorts: [8080],
});

const config = parseConfig({
  values: Object.fromEntries(
    Object.entries({
      controlPlane: { install: { version: "1.31.0" } },
      exposure: { type: "NodePort", nodeAddresses: ["192.0.2.10"] },
      sidecar: { url: "https://example.org/istio-sidecar.deb", sha256: "a".repeat(64) },
      hosts: [host("vm1", "192.0.2.21"), host("vm2", "192.0.2.22")],
      services: [{ name: "web", namespace: "vm", hosts: ["vm1", "vm2"], ports: [{ port: 8080 }] }],
      sampleClient: {},
    }).map(([key, value]) => [key, typeof value === "string" ? value : JSON.stringify(value)]),
  ),
  isSecret: () => false,
});

const toldOf = () => ({
  identity: spiffe("default"),
  istiod: { addresses: ["192.0.2.10"], port: 31794, name: "istiod.istio-system.svc" },
  revision: "default",
  returnsUntil: "2026-09-01T12:00:00Z",
  state: "",
});

async function make(): Promise<Facts> {
  const { root, intermediate, host, sent } = await pki;
  const inspected = (name: string): HostFacts => ({
    name,
    clockOffset: 0.02,
    istiodProof: "proven",
    inspection: {
      epoch: NOW.getTime() / 1000,
      os: "Debian GNU/Linux 12 (bookworm)",
      hostname: name,
      machineId: `machine-of-${name}`,
      clockSynchronized: true,
      sidecar: "1.31.0",
      istiodAddress: "192.0.2.10",
      nameservers: ["192.0.2.53"],
      listening: [22, 8080, 15021],
      takes: "deb amd64",
      packageReachable: true,
      settings: [],
      bridges: [],
      published: [],
      sockets: [parseSocket('LISTEN 0 5 0.0.0.0:8080 0.0.0.0:* users:(("app",pid=32,fd=3))')!],
      findings: [],
      joined: {
        owner: OWNER,
        changed: new Date("2026-05-30T12:00:00Z"),
        connected: true,
        configured: new Date("2026-06-01T11:00:00Z"),
        certChain: host.pem + intermediate.pem,
        sentChain: sent.pem + intermediate.pem,
        rootCert: root.pem,
        identity: spiffe("default"),
        captured: "in 80, out *",
        ready: true,
        unfinished: false,
        drift: [],
      },
    },
  });
  return {
    now: NOW,
    tools: { node: "v24.19.0", nodeWanted: "22.13", pulumi: "v3.256.0", istioctl: "1.31.0", kubectl: "v1.34.4" },
    configProblems: [],
    config,
    local: { unknownHostKeys: [], unusableKeys: [], sidecarFiles: [] },
    owner: OWNER,
    outputs: {
      rootFingerprint: fingerprint(root.pem),
      istiod: "192.0.2.10:31794",
      authorities: { known: ["1.1"], signer: "1.1", wanted: "1.1", waitsFor: [] },
      controlPlanes: {
        default: {
          revision: "default",
          version: "1.31.0",
          service: "istiod",
          namespace: "istio-system",
          rootNamespace: "istio-system",
          trustDomain: "cluster.local",
          clusterName: "Kubernetes",
          dualStack: false,
          audience: "istio-ca",
          istiod: toldOf().istiod,
        },
      },
      meshHosts: { vm1: toldOf(), vm2: toldOf() },
      services: { "web.vm": "http://web.vm.svc.cluster.local:8080" },
    },
    cluster: {
      version: "v1.34.4",
      clockOffset: 0,
      nodes: [
        {
          name: "node1",
          ready: true,
          addresses: ["192.0.2.10", "node1"],
          podCidrs: ["10.244.0.0/24"],
        },
      ],
      leases: [{ node: "node1", age: 5 }],
      namespaces: [
        { name: "default" },
        { name: "kube-system" },
        { name: "istio-system", owner: OWNER },
        { name: "vm", owner: OWNER },
      ],
      forbidden: [],
      precheck: [],
      istiods: [{ namespace: "istio-system", name: "istiod", owner: OWNER, available: 1, wanted: 1 }],
      deadWebhooks: [],
      serviceCidr: "10.96.0.0/16",
      refusedNodePorts: [],
      istiodServices: [{ service: "istiod", namespace: "istio-system", port: { nodePort: 31794 } }],
      dns: { resolves: true, servers: [] },
      cacerts: {
        rootCert: root.pem,
        caCert: intermediate.pem,
        certChain: intermediate.pem + root.pem,
        owner: OWNER,
      },
      proxies: ["sleep-1.default", "vm1.vm", "vm2.vm"].map((name) => ({ name, takesRoots: true })),
      rootCerts: ["default", "vm"].map((namespace) => ({ namespace, pem: root.pem })),
      requests: { "web.vm": { ok: true, answer: "HTTP 200", milliseconds: 7 } },
    },
    hosts: [inspected("vm1"), inspected("vm2")],
    surroundings: {
      pods: [{ name: "default/sleep", addresses: ["10.244.0.5"], hostNetwork: false, sidecar: true }],
      nodes: [{ name: "node1", addresses: ["192.0.2.10"] }],
      services: [{ name: "default/kubernetes", addresses: ["10.96.0.1"] }],
      peerAuthentications: [],
      rootNamespaces: ["istio-system"],
      serviceCidr: "10.96.0.0/16",
    },
  };
}

const facts = make();

/** A joined stack of two hosts; a copy of its own for each call. */
export async function healthyFacts(): Promise<Facts> {
  return structuredClone(await facts);
}

/** The same with an Istio that others installed. */
export async function existingFacts(): Promise<Facts> {
  const facts = await healthyFacts();
  facts.config!.controlPlane = { existing: { revision: "default" } };
  facts.config!.ca = undefined;
  facts.tools.istioctl = undefined;
  const [{ pem: rootCerts } = assert.fail()] = clusterOf(facts).rootCerts;
  Object.assign(clusterOf(facts), {
    namespaces: [{ name: "default" }, { name: "istio-system" }, { name: "vm", owner: OWNER }],
    istiods: [{ namespace: "istio-system", name: "istiod", available: 1, wanted: 1 }],
    istiodServices: [{ service: "istiod-vm", namespace: "istio-system", port: { nodePort: 31794 } }],
    cacerts: undefined,
    existing: {
      rootCerts,
      versions: { default: "1.31.0" },
      namespaces: ["istio-system"],
      rootNamespaces: ["istio-system"],
    },
  } satisfies Partial<ClusterFacts>);
  return facts;
}

/** The same before the first `pulumi up`: an empty cluster, and hosts that nobody touched. */
export async function freshFacts(): Promise<Facts> {
  const fresh = await healthyFacts();
  fresh.owner = undefined;
  fresh.outputs = undefined;
  Object.assign(clusterOf(fresh), {
    namespaces: [{ name: "default" }, { name: "kube-system" }],
    istiods: [],
    istiodServices: [],
    cacerts: undefined,
    proxies: undefined,
    rootCerts: [],
    requests: undefined,
  } satisfies Partial<ClusterFacts>);
  for (const { name } of fresh.hosts) {
    Object.assign(inspectionOf(fresh, name), { sidecar: undefined, istiodAddress: undefined, joined: undefined });
  }
  return fresh;
}

export function clusterOf({ cluster }: Facts): ClusterFacts {
  assert.ok(isAvailable(cluster) && Object.values(cluster).every(isAvailable));
  return cluster as ClusterFacts;
}

/** A host that answered. Default: vm1. */
export function hostOf({ hosts }: Facts, name = "vm1"): Inspected {
  const found = hosts.find((candidate) => candidate.name === name);
  assert.ok(found && wasInspected(found));
  return found;
}

export const inspectionOf = (facts: Facts, name?: string) => hostOf(facts, name).inspection;

export function joinedOf(facts: Facts, name?: string) {
  const { joined } = inspectionOf(facts, name);
  assert.ok(joined);
  return joined;
}
