import type { Config } from "../../../../config";
import { about, error, warning } from "../../../../diagnosis/checks/check";
import type { ClusterFacts, Facts } from "../../../../diagnosis/facts";
import { testChecks } from "./cases";
import { clusterOf, existingFacts, freshFacts, OTHER_OWNER } from "./facts";

const inCluster = (change: (cluster: ClusterFacts) => unknown) => (facts: Facts) => change(clusterOf(facts));
const dns = (found: ClusterFacts["dns"]) => inCluster((cluster) => (cluster.dns = found));
const configure = (change: (config: Config) => unknown) => (facts: Facts) => change(facts.config!);

const istiod = { namespace: "istio-system", name: "istiod", available: 1, wanted: 1 };
const at = (address: string) => configure(({ hosts }) => (hosts[0]!.address = address));

testChecks("cluster", {
  IVM301: [
    {
      when: "the cluster does not answer",
      break: (facts) => (facts.cluster = { problem: "kubectl: connection refused" }),
      finds: error("kubectl: connection refused"),
    },
  ],
  IVM302: [
    {
      when: "Istio's precheck warns",
      break: inCluster(({ precheck }) =>
        precheck.push({ code: "IST0141", level: "Warning", message: "missing permission" }),
      ),
      finds: warning("IST0141: missing permission"),
    },
    {
      when: "Istio's precheck finds an error",
      break: inCluster(({ precheck }) =>
        precheck.push({ code: "IST0142", level: "Error", message: "Kubernetes 1.20 is not supported" }),
      ),
      finds: error("IST0142: Kubernetes 1.20 is not supported"),
    },
  ],
  IVM303: [
    {
      when: "this user may not do everything",
      break: inCluster((cluster) => (cluster.forbidden = ["create namespaces", "delete deployments.apps"])),
      finds: error("you may not create namespaces, delete deployments.apps"),
    },
    {
      when: "this user may not even read",
      break: (facts) => (facts.cluster = { problem: "secrets is forbidden (Forbidden)", forbidden: true }),
      finds: error("secrets is forbidden (Forbidden)"),
    },
  ],
  IVM304: [
    {
      when: "an istiod was installed by hand",
      break: inCluster(({ istiods }) => istiods.push({ ...istiod, namespace: "istio-old" })),
      finds: error("istio-old/istiod was installed by something else"),
    },
    {
      when: "another stack installed an istiod",
      break: inCluster(({ istiods }) => istiods.push({ ...istiod, name: "istiod-canary", owner: OTHER_OWNER })),
      finds: error(
        `istio-system/istiod-canary was installed by the stack with owner mark ${OTHER_OWNER}`,
        "use another cluster, or destroy that stack",
      ),
    },
    {
      when: "an istiod was installed by hand, before the first update",
      in: freshFacts,
      break: inCluster(({ istiods }) => istiods.push(istiod)),
      finds: error("istio-system/istiod was installed by something else"),
    },
  ],
  IVM305: [
    {
      when: "an Istio that is gone left a webhook",
      break: inCluster((cluster) => (cluster.deadWebhooks = [{ name: "old (o.istio.io)", service: "old/istiod" }])),
      finds: error("nobody answers for the webhook old (o.istio.io): the Service old/istiod has no ready endpoint"),
    },
    {
      when: "this stack's own istiod does not answer, whose webhook must not be deleted",
      break: (facts) =>
        (clusterOf(facts).deadWebhooks = [{ name: "w", service: "istio-system/istiod", owner: facts.owner }]),
      finds: error(
        "nobody answers for the webhook w: the Service istio-system/istiod has no ready endpoint",
        "see IVM314: istiod must run again",
      ),
    },
  ],
  IVM306: [
    { when: "any range is meant", break: configure((config) => (config.serviceCidr = "*")), finds: [] },
    { when: "it is a wider range", break: configure((config) => (config.serviceCidr = "10.0.0.0/8")), finds: [] },
    {
      when: "it is a narrower range",
      break: configure((config) => (config.serviceCidr = "10.96.0.0/17")),
      finds: error("serviceCidr is 10.96.0.0/17, but the cluster's services are in 10.96.0.0/16"),
    },
    {
      when: "it misses one of two ranges",
      break: (facts) => {
        facts.config!.serviceCidr = "10.96.0.0/16";
        clusterOf(facts).serviceCidr = "10.96.0.0/16,fd00::/112";
      },
      finds: error("serviceCidr is 10.96.0.0/16, but the cluster's services are in 10.96.0.0/16,fd00::/112"),
    },
    {
      when: "the cluster does not tell",
      break: (facts) => {
        facts.config!.serviceCidr = "10.96.0.0/16";
        clusterOf(facts).serviceCidr = "*";
      },
      finds: [],
    },
  ],
  IVM307: [
    {
      when: "no node has the address",
      break: inCluster(({ nodes }) => (nodes[0]!.addresses = ["192.0.2.11"])),
      finds: warning("no node has the address 192.0.2.10 of exposure.nodeAddresses"),
    },
    {
      when: "the node with that address is not ready",
      break: inCluster(({ nodes }) => {
        nodes.push({ ...nodes[0]!, name: "node2", addresses: ["192.0.2.12"] });
        nodes[0]!.ready = false;
      }),
      finds: error("192.0.2.10 is the address of node1, which is not ready"),
    },
    {
      when: "it is a load balancer's",
      break: (facts) => {
        facts.config!.exposure = {
          type: "LoadBalancer",
          gateway: { service: "istio-ingressgateway", namespace: "istio-system" },
        };
        clusterOf(facts).nodes[0]!.addresses = [];
        clusterOf(facts).istiodServices = [
          { service: "istio-ingressgateway", namespace: "istio-system", port: { nodePort: 31999 } },
        ];
      },
      finds: [],
    },
  ],
  IVM308: [
    {
      when: "no node is ready",
      break: inCluster(({ nodes }) => (nodes[0]!.ready = false)),
      finds: error("no node is ready; there are 1"),
      also: { IVM307: "the node at nodeAddress is one of them" },
    },
    {
      when: "there is no node",
      break: inCluster((cluster) => (cluster.nodes = [])),
      finds: error("the cluster has no nodes"),
      also: { IVM307: "nodeAddress belongs to none" },
    },
  ],
  IVM309: [
    {
      when: "somebody made a namespace of ours",
      break: inCluster(({ namespaces }) => (namespaces.find(({ name }) => name === "vm")!.owner = undefined)),
      finds: about("vm", error("the namespace vm is there already, and this stack did not make it")),
    },
    {
      when: "it is an existing namespace",
      break: (facts) => {
        facts.config!.cluster.existingNamespaces.push("vm");
        clusterOf(facts).namespaces.find(({ name }) => name === "vm")!.owner = undefined;
      },
      finds: [],
    },
    {
      when: "another stack made istio-system",
      break: inCluster(({ namespaces }) => (namespaces.find(({ name }) => /istio/.test(name))!.owner = OTHER_OWNER)),
      finds: about(
        "istio-system",
        error(
          "the namespace istio-system is there already, and this stack did not make it",
          "if nobody needs it: kubectl delete namespace istio-system",
        ),
      ),
    },
    {
      when: "somebody made a namespace of ours before the first update",
      in: freshFacts,
      break: inCluster(({ namespaces }) => namespaces.push({ name: "vm" })),
      finds: about("vm", error("the namespace vm is there already, and this stack did not make it")),
    },
    {
      when: "somebody made the namespace of our gateway before the first update",
      in: freshFacts,
      break: (facts) => {
        facts.config!.exposure = { type: "EastWestGateway", namespace: "edge" };
        clusterOf(facts).namespaces.push({ name: "edge" });
      },
      finds: about("edge", error("the namespace edge is there already, and this stack did not make it")),
    },
  ],
  IVM310: [
    {
      when: "a namespace is missing that should exist",
      break: configure(({ cluster, services }) => {
        cluster.existingNamespaces.push("shop", "unused");
        services[0]!.namespace = "shop";
      }),
      finds: about("shop", error("the namespace shop does not exist", "kubectl create namespace shop")),
    },
  ],
  IVM311: [
    {
      when: "a pod can't resolve a name",
      break: dns({ resolves: false, servers: [] }),
      finds: error("kubernetes.default.svc.cluster.local does not resolve in the sample client's pod"),
    },
    {
      when: "a pod can't resolve a name, and its server does not run",
      break: dns({ resolves: false, servers: [{ name: "kube-system/kube-dns", ready: false }] }),
      finds: error(
        "kubernetes.default.svc.cluster.local does not resolve in the sample client's pod; no endpoint is ready of kube-system/kube-dns",
      ),
    },
    {
      when: "there is no pod to ask from, and a known server does not run",
      break: dns({ servers: [{ name: "openshift-dns/dns-default", ready: false }] }),
      finds: warning("it may not answer; no endpoint is ready of openshift-dns/dns-default"),
    },
    {
      when: "one of two servers runs",
      break: dns({
        servers: [
          { name: "kube-system/kube-dns", ready: false },
          { name: "kube-system/rke2-coredns-rke2-coredns", ready: true },
        ],
      }),
      finds: [],
    },
    { when: "there is no server that is known", break: dns({ servers: [] }), finds: [] },
  ],
  IVM312: [
    {
      when: "a host is a node",
      break: at("192.0.2.10"),
      finds: about("vm1", error("vm1: 192.0.2.10 is the address of the node node1")),
    },
    {
      when: "a host has a pod's address",
      break: at("10.244.0.77"),
      finds: about("vm1", error("vm1: 10.244.0.77 lies in 10.244.0.0/24, the range of the pods of node1")),
    },
    {
      when: "a host has a service's address",
      break: at("10.96.200.1"),
      finds: about("vm1", error("vm1: 10.96.200.1 lies in 10.96.0.0/16, the range of the cluster's services")),
    },
    { when: "a host lies just beside the pods", break: at("10.244.1.0"), finds: [] },
    {
      when: "the host that had the address is gone",
      break: (facts) => {
        Object.assign(facts.config!.hosts[0]!, { address: "192.0.2.10", gone: true });
        facts.hosts[0] = { name: "vm1", failure: { kind: "gone", message: "it is marked as gone" } };
      },
      finds: [],
    },
  ],
  IVM313: [
    {
      when: "a node port is out of range, before the first update",
      in: freshFacts,
      break: inCluster((cluster) => (cluster.refusedNodePorts = ["istiod: provided port is not in the valid range"])),
      finds: error("istiod: provided port is not in the valid range"),
    },
    {
      when: "a node port is taken by this stack itself",
      break: inCluster((cluster) => (cluster.refusedNodePorts = ["istiod: provided port is already allocated"])),
      finds: [],
    },
  ],
  IVM314: [
    {
      when: "istiod is gone",
      break: inCluster((cluster) => (cluster.istiods = [])),
      finds: error("the deployment istiod is gone", "pulumi refresh && pulumi up"),
    },
    {
      when: "no istiod is available",
      break: inCluster(({ istiods }) => (istiods[0]!.available = 0)),
      finds: error("no pod of istiod is available; there should be 1"),
    },
    {
      when: "one istiod of two is available",
      break: inCluster(({ istiods }) => (istiods[0]!.wanted = 2)),
      finds: warning("only 1 of 2 pods of istiod are available"),
    },
  ],
  IVM315: [
    {
      when: "the Service istiod was made anew",
      break: inCluster(({ istiodServices }) => (istiodServices[0]!.port = { nodePort: 30001 })),
      finds: error("the Service istio-system/istiod has the node port 30001, but the hosts were told 31794"),
    },
    {
      when: "the Service istiod is no NodePort any more",
      break: inCluster(({ istiodServices }) => (istiodServices[0]!.port = {})),
      finds: error("the Service istio-system/istiod has no node port, but the hosts were told 31794"),
    },
    {
      when: "the Service istiod is gone",
      break: inCluster((cluster) => (cluster.istiodServices = [])),
      finds: error("the Service istio-system/istiod is gone"),
    },
    {
      when: "our Service beside an istiod that is there was made anew",
      in: existingFacts,
      break: inCluster(({ istiodServices }) => (istiodServices[0]!.port = { nodePort: 30001 })),
      finds: error("the Service istio-system/istiod-vm has the node port 30001, but the hosts were told 31794"),
    },
    {
      when: "the gateway that is there was installed anew",
      in: existingFacts,
      break: (facts) => {
        facts.config!.exposure = { type: "LoadBalancer", gateway: { service: "edge", namespace: "gateways" } };
        clusterOf(facts).istiodServices = [{ service: "edge", namespace: "gateways" }];
      },
      finds: error("the Service gateways/edge has no port 15012"),
    },
    {
      when: "somebody else made the way",
      in: existingFacts,
      break: (facts) => {
        facts.config!.exposure = { type: "Address", address: "192.0.2.10", port: 31794 };
        clusterOf(facts).istiodServices = [];
      },
      finds: [],
    },
  ],
  IVM317: [
    {
      when: "there is no such revision",
      in: existingFacts,
      break: inCluster((cluster) => (cluster.existing = { refusal: 'there is no revision or tag "canary" of Istio' })),
      finds: error('there is no revision or tag "canary" of Istio'),
    },
  ],
  IVM316: [
    {
      when: "istioctl refuses the IstioOperator",
      break: inCluster((cluster) => (cluster.manifestProblem = 'istioctl: unknown field "meshExpansion"')),
      finds: error('istioctl: unknown field "meshExpansion"'),
    },
  ],
});
