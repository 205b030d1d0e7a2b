import { fingerprint } from "../../../../mesh/certificates";
import { HEAL } from "../../../../diagnosis/advice";
import { about, error, warning } from "../../../../diagnosis/checks/check";
import type { Facts } from "../../../../diagnosis/facts";
import { privateKey } from "../../support";
import { testChecks } from "./cases";
import { clusterOf, existingFacts, freshFacts, inspectionOf, joinedOf, OTHER_OWNER } from "./facts";
import { type Issued, issue, ofHost, pki, spiffe, type Wanted } from "./pki";

type Installed = { install: object };
/** An IstioOperator by which istiod reads that mesh config beside its own. */
const sharing = (SHARED_MESH_CONFIG: string) => ({
  operator: { spec: { values: { pilot: { env: { SHARED_MESH_CONFIG } } } } },
});

const GARBAGE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

/** A CA in the cluster that this stack has, with hosts that it certified. */
function install(facts: Facts, root: Issued, signing: Issued, chain = [signing, root]): void {
  const [rootCert, caCert, certChain] = [root.pem, signing.pem, chain.map(({ pem }) => pem).join("")];
  Object.assign(clusterOf(facts), {
    cacerts: { rootCert, caCert, certChain },
    rootCerts: [{ namespace: "default", pem: rootCert }],
  });
  facts.outputs!.rootFingerprint = fingerprint(rootCert);
  for (const { name } of facts.hosts) joinedOf(facts, name).rootCert = rootCert;
}

/** A mesh whose CA certificates differ from the healthy ones so. */
const withCa = (rootChanges: Wanted, intermediateChanges: Wanted = {}) => {
  return async (facts: Facts) => {
    const root = await issue({ subject: "CN=Root CA", ca: true, pathLength: 1, ...rootChanges });
    const intermediate = await issue({ subject: "CN=Intermediate", issuer: root, ca: true, ...intermediateChanges });
    install(facts, root, intermediate);
  };
};

/** vm1 with another certificate. */
const withCertificate = (changes: Wanted) => async (facts: Facts) => {
  joinedOf(facts).certChain = (await ofHost((await pki).intermediate, changes)).pem;
};

/** vm1 with something else that it was sent. */
const withSent = (changes: Wanted) => async (facts: Facts) => {
  joinedOf(facts).sentChain = (await ofHost((await pki).intermediate, changes)).pem;
};

/** vm1 does not answer. */
const isOff = (facts: Facts) =>
  void (facts.hosts[0] = { name: "vm1", failure: { kind: "login", message: "it does not answer" } });

/** The same, of a host that has it by a token. */
const byToken = (changes: Wanted) => (facts: Facts) => {
  facts.config!.hosts[0]!.identity = "token";
  return withCertificate(changes)(facts);
};

const ROTATION = { until: "retire", absent: "wait" } as const;

testChecks("certificates", {
  IVM401: [
    {
      when: "the CA's secret is gone",
      break: (facts) => (clusterOf(facts).cacerts = undefined),
      finds: error("the secret istio-system/cacerts is gone"),
    },
    {
      when: "the CA's secret is another's",
      break: async (facts) => {
        const root = await issue({ subject: "CN=Other Root", ca: true, pathLength: 1 });
        const intermediate = await issue({ subject: "CN=Other", issuer: root, ca: true });
        const [rootCert, caCert] = [root.pem, intermediate.pem];
        clusterOf(facts).cacerts = { rootCert, caCert, certChain: caCert + rootCert, owner: OTHER_OWNER };
      },
      finds: error("the root certificate in istio-system/cacerts is not this stack's"),
    },
    {
      when: "somebody made the secret before the first update",
      in: freshFacts,
      break: async (facts) => {
        const { root, intermediate } = await pki;
        clusterOf(facts).cacerts = { rootCert: root.pem, caCert: intermediate.pem, certChain: intermediate.pem };
      },
      finds: error(
        "there is a secret istio-system/cacerts, and this stack did not make it",
        "kubectl -n istio-system describe secret cacerts; if nobody needs it, delete it",
      ),
    },
  ],
  IVM402: [
    {
      when: "an intermediate is missing from a longer chain",
      break: async (facts) => {
        const { root } = await pki;
        const middle = await issue({ subject: "CN=Middle", issuer: root, ca: true, pathLength: 1 });
        const signing = await issue({ subject: "CN=Signing", issuer: middle, ca: true });
        install(facts, root, signing);
      },
      finds: error('"CN=Signing" is not signed by the certificate that follows it'),
    },
    {
      when: "the issuer only bears the right name",
      break: async (facts) => {
        const { root, intermediate } = await pki;
        const namesake = await issue({ subject: root.subject, ca: true, pathLength: 1 });
        install(facts, namesake, intermediate, [intermediate]);
      },
      finds: error('"CN=Intermediate" is not signed by the certificate that follows it'),
    },
    {
      when: "another has signed the root, which is trusted all the same",
      break: async (facts) => {
        const { intermediate } = await pki;
        install(facts, intermediate, await issue({ subject: "CN=Signing", issuer: intermediate, ca: true }));
      },
      finds: [],
    },
    {
      when: "a text is no certificate",
      break: (facts) => (clusterOf(facts).cacerts!.caCert = GARBAGE),
      finds: error("ca-cert.pem of the certificate authority is no certificate"),
    },
    {
      when: "a certificate of the chain can't be read",
      break: (facts) => (clusterOf(facts).cacerts!.certChain += GARBAGE),
      finds: error("cert-chain.pem of the certificate authority is no certificate"),
    },
    {
      when: "the chain is longer, and complete",
      break: async (facts) => {
        const root = await issue({ subject: "CN=Root CA", ca: true, pathLength: 2 });
        const middle = await issue({ subject: "CN=Middle", issuer: root, ca: true, pathLength: 1 });
        const signing = await issue({ subject: "CN=Signing", issuer: middle, ca: true, pathLength: 0 });
        install(facts, root, signing, [signing, middle, root]);
      },
      finds: [],
    },
    {
      when: "there are several roots",
      break: async (facts) => {
        const { root, intermediate } = await pki;
        install(facts, await issue({ subject: "CN=Other", ca: true }), intermediate, [intermediate]);
        clusterOf(facts).cacerts!.rootCert += root.pem;
      },
      finds: [],
    },
    {
      when: "the chain ends with one of several roots, which another has signed",
      break: async (facts) => {
        const { intermediate } = await pki;
        const signing = await issue({ subject: "CN=Signing", issuer: intermediate, ca: true });
        install(facts, await issue({ subject: "CN=Other", ca: true }), signing, [signing, intermediate]);
        clusterOf(facts).cacerts!.rootCert += intermediate.pem;
      },
      finds: [],
    },
    {
      when: "istiod signs with the root itself",
      break: async (facts) => {
        const root = await issue({ subject: "CN=Root CA", ca: true, pathLength: 0 });
        install(facts, root, root, [root]);
      },
      finds: [],
    },
  ],
  IVM403: [
    {
      when: "the root's path length is too short",
      break: withCa({ pathLength: 0 }),
      finds: error('"CN=Root CA" has a path length of 0, but it takes 1 for what stands below it'),
    },
    {
      when: "the intermediate is no CA",
      break: withCa({}, { ca: false }),
      finds: error('"CN=Intermediate" is no CA'),
    },
  ],
  IVM404: [
    { when: "the CA ends in 30 days", break: withCa({}, { to: "2026-07-01T12:00:00Z" }), finds: [] },
    {
      when: "the CA ends in less than 30 days",
      break: withCa({}, { to: "2026-07-01T11:59:59Z" }),
      finds: warning('"CN=Intermediate": 30 days left'),
    },
    {
      when: "an intermediate that was given ends",
      break: async (facts) => {
        await withCa({}, { to: "2026-06-02T12:00:00Z" })(facts);
        const { rootCert, caCert, certChain } = clusterOf(facts).cacerts!;
        facts.config!.ca = {
          provided: { rootCert, caCert, certChain, caKey: { secret: "caKey" } },
          rotation: ROTATION,
        };
        facts.local.providedKeyFits = true;
      },
      finds: warning(
        '"CN=Intermediate": 24 hours left',
        "give ca.provided another one, which takes its place step by step (README, Another CA)",
      ),
    },
    {
      when: "the root has ended",
      break: withCa({ to: "2026-05-29T12:00:00Z" }),
      finds: error('"CN=Root CA": ended 3 days ago'),
      also: { IVM505: "hosts see it as well" },
    },
    {
      when: "the root is not valid yet",
      break: withCa({ from: "2026-06-01T12:00:10Z" }),
      finds: error(
        '"CN=Root CA" is not valid before 2026-06-01T12:00:10.000Z',
        "see IVM501 to IVM504: a clock is wrong, or wait",
      ),
      also: { IVM504: "hosts see it as well" },
    },
  ],
  IVM405: [
    {
      when: "a namespace has another root",
      break: async (facts) => (clusterOf(facts).rootCerts[1]!.pem = (await pki).intermediate.pem),
      finds: about("vm", error("istio-ca-root-cert of namespace vm holds another root")),
    },
    {
      when: "a namespace has no certificate there",
      break: (facts) => (clusterOf(facts).rootCerts[0]!.pem = ""),
      finds: about("default", error("istio-ca-root-cert of namespace default holds another root")),
    },
  ],
  IVM406: [
    {
      when: "the key of the user's own CA does not fit",
      break: async (facts) => {
        const { root, intermediate } = await pki;
        const [rootCert, caCert] = [root.pem, intermediate.pem];
        facts.config!.ca = {
          provided: { rootCert, caCert, certChain: caCert, caKey: { secret: "caKey" } },
          rotation: ROTATION,
        };
        facts.local.providedKeyFits = false;
      },
      finds: error(
        "the secret caKey is not the key of ca.provided.caCert",
        "pulumi config set --secret caKey < FILE, with the key of ca.provided.caCert",
      ),
    },
    {
      when: "the key of the user's own CA fits",
      in: freshFacts,
      break: async (facts) => {
        const { root, intermediate } = await pki;
        const [rootCert, caCert] = [root.pem, intermediate.pem];
        facts.config!.ca = {
          provided: { rootCert, caCert, certChain: caCert, caKey: { secret: "caKey" } },
          rotation: ROTATION,
        };
        facts.local.providedKeyFits = true;
      },
      finds: [],
    },
  ],
  IVM407: [
    {
      when: "a host has another's identity",
      break: withCertificate({ uris: [spiffe("shop")] }),
      finds: about("vm1", error(`vm1: its certificate is for ${spiffe("shop")}, not ${spiffe("default")}`)),
    },
    {
      when: "a host has two identities",
      break: withCertificate({ uris: [spiffe("default"), spiffe("shop")] }),
      finds: about(
        "vm1",
        error(`vm1: its certificate is for ${spiffe("default")}, ${spiffe("shop")}, not ${spiffe("default")}`),
      ),
    },
    {
      when: "a host's certificate has no identity",
      break: withCertificate({ uris: [] }),
      finds: about("vm1", error(`vm1: its certificate is for nobody, not ${spiffe("default")}`)),
    },
    {
      when: "somebody wrote something else into the file",
      break: (facts) => (joinedOf(facts).certChain = privateKey("vm1")),
      finds: about("vm1", error("vm1: /etc/certs/cert-chain.pem is no certificate")),
    },
  ],
  IVM408: [
    {
      when: "a third of the lifetime is left",
      break: withCertificate({ from: "2026-06-01T08:00:00Z", to: "2026-06-01T14:00:00Z" }),
      finds: [],
    },
    {
      when: "less than a third of the lifetime is left",
      break: withCertificate({ from: "2026-06-01T07:59:00Z", to: "2026-06-01T13:59:00Z" }),
      finds: about("vm1", warning("vm1: its certificate: 119 minutes left")),
    },
    {
      when: "it has ended",
      break: withCertificate({ from: "2026-05-30T12:00:00Z", to: "2026-06-01T11:00:00Z" }),
      finds: about(
        "vm1",
        error(
          "vm1: its certificate: ended 60 minutes ago",
          `npx istio-vm explain says why; ${HEAL} restarts its sidecar`,
        ),
      ),
      also: { IVM505: "the host sees it as well" },
    },
  ],
  IVM409: [
    {
      when: "a host trusts another root",
      break: async (facts) => (joinedOf(facts, "vm2").rootCert = (await pki).intermediate.pem),
      finds: about("vm2", error("vm2: /etc/certs/root-cert.pem is not this stack's root")),
    },
    {
      when: "a host trusts this root among others",
      break: async (facts) => {
        const { root, intermediate } = await pki;
        joinedOf(facts).rootCert = intermediate.pem + root.pem;
      },
      finds: [],
    },
    {
      when: "another stack joined the host",
      break: async (facts) => {
        Object.assign(joinedOf(facts), { owner: OTHER_OWNER, rootCert: (await pki).intermediate.pem });
        inspectionOf(facts).findings = [{ code: "IVM701", message: "it is joined already" }];
      },
      finds: [],
      also: { IVM701: "that is what is wrong" },
    },
  ],
  IVM410: [
    {
      when: "a third of the lifetime is left",
      break: byToken({ from: "2026-06-01T08:00:00Z", to: "2026-06-01T14:00:00Z" }),
      finds: [],
    },
    {
      when: "it was not renewed when it should have been",
      break: byToken({ from: "2026-06-01T07:59:00Z", to: "2026-06-01T13:59:00Z" }),
      finds: about(
        "vm1",
        warning(
          "vm1: its identity: 119 minutes left, and its agent should have renewed it at half of its life",
          "npx istio-vm explain: does the host reach istiod? Once it has ended, pulumi up gives it a new one",
        ),
      ),
    },
    {
      when: "it has ended",
      break: byToken({ from: "2026-05-30T12:00:00Z", to: "2026-06-01T11:00:00Z" }),
      finds: about("vm1", error("vm1: its identity: ended 60 minutes ago")),
      also: { IVM505: "the host sees it as well" },
    },
  ],
  IVM411: [
    {
      when: "what a host was sent ends within the month",
      break: withSent({ from: "2026-05-01T00:00:00Z", to: "2026-06-30T12:00:00Z" }),
      finds: about("vm1", warning("vm1: what it was sent: 29 days left")),
    },
    {
      when: "it ends later, though pulumi up would renew it",
      break: withSent({ from: "2026-05-01T00:00:00Z", to: "2026-07-02T12:00:00Z" }),
      finds: [],
    },
    {
      when: "it ends soon, but pulumi up would not renew it yet, for it has a life of hours",
      break: async (facts) => {
        facts.config!.workloadCertificate = { validityHours: 24, earlyRenewalHours: 12 };
        await withSent({ from: "2026-06-01T02:00:00Z", to: "2026-06-02T02:00:00Z" })(facts);
      },
      finds: [],
    },
    {
      when: "it has ended",
      break: withSent({ from: "2025-05-01T00:00:00Z", to: "2026-05-31T12:00:00Z" }),
      finds: about("vm1", error("vm1: what it was sent: ended 24 hours ago")),
    },
    {
      when: "a host can't be asked, and what it was sent has ended",
      break: (facts) => {
        facts.outputs!.meshHosts.vm1!.returnsUntil = "2026-05-31T12:00:00Z";
        isOff(facts);
      },
      finds: about(
        "vm1",
        warning(
          "vm1 could not be asked, and what it was sent ended on 2026-05-31T12:00:00.000Z: it can't come back by itself",
        ),
      ),
      also: { IVM601: "it is off" },
    },
    { when: "a host can't be asked", break: isOff, finds: [], also: { IVM601: "it is off" } },
    {
      when: "a host with a token has nothing but its certificate of a day",
      break: (facts) => {
        facts.config!.hosts[0]!.identity = "token";
        joinedOf(facts).sentChain = undefined;
      },
      finds: [],
    },
  ],
  IVM412: [
    {
      when: "proxies began before they were told how",
      break: (facts) =>
        (clusterOf(facts).proxies = ["a.default", "vm1.vm"].map((name) => ({
          name,
          takesRoots: name !== "a.default",
        }))),
      finds: about("a.default", warning("a.default learns of another CA only half a day later")),
    },
    {
      when: "istiod reads a mesh config of the user's beside its own",
      break: ({ config }) => Object.assign((config!.controlPlane as Installed).install, sharing("mine")),
      finds: warning(
        "the IstioOperator has istiod read the mesh config mine (SHARED_MESH_CONFIG), so that nothing tells proxies to have themselves certified by another CA",
        "before the CA is replaced, move what mine says into meshConfig, and leave SHARED_MESH_CONFIG out; or restart all proxies when the other CA signs",
      ),
    },
    {
      when: "it is said that it reads ours",
      break: ({ config }) => Object.assign((config!.controlPlane as Installed).install, sharing("istio-vm-trust")),
      finds: [],
    },
    { when: "the mesh is another's", in: existingFacts, break: () => undefined, finds: [] },
  ],
  IVM413: [
    {
      when: "a host can't be asked",
      break: (facts) =>
        (facts.outputs!.authorities = {
          ...{ known: ["1.1", "2.1"], signer: "1.1", wanted: "2.1" },
          waitsFor: ["vm2.vm can't be asked"],
        }),
      finds: warning("the CA 2.1 waits for vm2.vm can't be asked"),
    },
    {
      when: "the next step is to come",
      break: (facts) =>
        (facts.outputs!.authorities = { known: ["1.1", "2.1"], signer: "2.1", wanted: "2.1", waitsFor: [] }),
      finds: [],
    },
  ],
});
