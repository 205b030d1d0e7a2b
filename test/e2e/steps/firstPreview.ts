import assert from "node:assert/strict";
import { parseUrn } from "../engineEvents";
import type { Story } from "../story";

/** How many resources each component has. The control plane: the default profile of Istio 1.31 with an ingress gateway. */
const EXPECTED = {
  CertificateAuthority: 5,
  CaCertsSecret: 3,
  IstioControlPlane: 39,
  AuthorityRotation: 2,
  ControlPlaneExposure: 2,
  WorkloadIdentity: 3,
  EndedIdentities: 2,
  MeshHost: 3,
  MeshWorkload: 1,
  ServiceMembership: 1,
  ExternalService: 2,
  SampleClient: 2,
};

const TOP_LEVEL = [
  "istio-vm:index:AuthorityRotation authorities",
  "istio-vm:index:CaCertsSecret cacerts",
  "istio-vm:index:CertificateAuthority ca",
  "istio-vm:index:ControlPlaneExposure exposure",
  "istio-vm:index:EndedIdentities ended",
  "istio-vm:index:ExternalService service-vm-vmhttp",
  "istio-vm:index:IstioControlPlane istio",
  "istio-vm:index:MeshHost vm1",
  "istio-vm:index:MeshWorkload vm1-workload",
  "istio-vm:index:SampleClient sleep",
  "istio-vm:index:ServiceMembership vm1-membership",
  "istio-vm:index:WorkloadIdentity vm1-identity",
  "kubernetes:core/v1:Namespace namespace-vm",
  "kubernetes:core/v1:ServiceAccount account-vm/vm1",
  "pulumi:providers:kubernetes cluster",
  "random:index/randomId:RandomId owner",
];

/** Resources by which a person recognizes the steps of the tutorial. */
const LANDMARKS = [
  "tls:index/selfSignedCert:SelfSignedCert ca-root",
  "tls:index/locallySignedCert:LocallySignedCert ca-intermediate",
  "kubernetes:core/v1:Secret cacerts-secret",
  "kubernetes:apps/v1:Deployment istio-Deployment/istio-system/istiod",
  "kubernetes:apps/v1:Deployment istio-Deployment/istio-system/istio-ingressgateway",
  "kubernetes:core/v1:ServicePatch exposure-istiod",
  "tls:index/locallySignedCert:LocallySignedCert vm1-identity-certificate",
  "command:remote:Command vm1-join",
  "kubernetes:networking.istio.io/v1:ServiceEntry service-vm-vmhttp-entry",
  "kubernetes:core/v1:Service service-vm-vmhttp-service",
  "kubernetes:apps/v1:Deployment sleep-deployment",
];

interface Preview {
  steps: { op: string; urn: string }[];
}

export function firstPreview(story: Story): void {
  describe("the first preview", () => {
    let steps: Preview["steps"];
    let traffic: [before: string, after: string];
    let sshLog: string;

    before(async () => {
      const begun = await now(story);
      const before = await trafficOf(story);
      const { stdout } = await story.stack.succeed(["preview", "--json"]);
      steps = (JSON.parse(stdout) as Preview).steps.filter(({ urn }) => parseUrn(urn).type !== "pulumi:pulumi:Stack");
      traffic = [before, await trafficOf(story)];
      sshLog = await story.inVm("vm1", "journalctl", "--unit=ssh", "--output=cat", `--since=@${begun}`, "--quiet");
    });

    it("lists every resource of every component, all to be created", () => {
      const resources = steps.map(({ urn }) => parseUrn(urn));
      const counts: Record<string, number> = {};
      for (const { component } of resources) if (component) counts[component] = (counts[component] ?? 0) + 1;
      assert.deepEqual(counts, EXPECTED);
      const names = resources.map(({ type, name }) => `${type} ${name}`);
      const topLevel = names.filter((_, index) => resources[index]!.component === undefined);
      assert.deepEqual(topLevel.sort(), TOP_LEVEL);
      const missing = LANDMARKS.filter((landmark) => !names.includes(landmark));
      assert.deepEqual(missing, [], `not among:\n${names.join("\n")}`);
      assert.deepEqual([...new Set(steps.map(({ op }) => op))], ["create"]);
    });

    it("contacts no host", () => {
      const [before, after] = traffic;
      assert.equal(after, before, "vm1 received TCP segments");
      assert.equal(sshLog, "");
    });
  });
}

/** What a VM's kernel counts of TCP: connections accepted and segments received, since it booted. */
async function trafficOf(story: Story): Promise<string> {
  const [names, values] = (await story.inVm("vm1", "grep", "^Tcp:", "/proc/net/snmp")).trim().split("\n");
  const count = (name: string) => `${name} ${values!.split(" ")[names!.split(" ").indexOf(name)]}`;
  return `${count("PassiveOpens")}, ${count("InSegs")}`;
}

const now = async (story: Story) => (await story.inVm("vm1", "date", "+%s.%N")).trim();
