import { until } from "../../../lab/run";
import type { Breakage, Site } from "../site";

const OLD_WEBHOOK = {
  apiVersion: "admissionregistration.k8s.io/v1",
  kind: "ValidatingWebhookConfiguration",
  metadata: { name: "istio-old" },
  webhooks: [
    {
      name: "old.istio.io",
      admissionReviewVersions: ["v1"],
      sideEffects: "None",
      failurePolicy: "Fail",
      clientConfig: { service: { namespace: "default", name: "istiod-old", path: "/validate" }, caBundle: "" },
      // Of nothing that anybody makes.
      rules: [{ apiGroups: ["old.example"], apiVersions: ["v1"], operations: ["CREATE"], resources: ["things"] }],
    },
  ],
};

const OLD_ISTIOD = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "istiod-old", namespace: "default", labels: { app: "istiod" } },
  spec: {
    replicas: 0,
    selector: { matchLabels: { app: "istiod-old" } },
    template: {
      metadata: { labels: { app: "istiod-old" } },
      spec: { containers: [{ name: "discovery", image: "lab.local/tools:1" }] },
    },
  },
};

const scale = async (site: Site, deployment: string, namespace: string, replicas: number) => {
  await site.kubectl("scale", `--namespace=${namespace}`, `deployment/${deployment}`, `--replicas=${replicas}`);
  await until(`${deployment} to have ${replicas} pods`, 60, async () => {
    const path = "jsonpath={.status.availableReplicas},{.status.replicas}";
    const [available = "", all = ""] = (
      await site.kubectl("get", `--namespace=${namespace}`, `deployment/${deployment}`, `--output=${path}`)
    ).split(",");
    return Number(available) === replicas && Number(all) === replicas;
  });
};

/** What is wrong with the cluster. */
export const cluster: Breakage[] = [
  {
    code: "IVM304",
    what: "another Istio",
    says: /default\/istiod-old was installed by something else/,
    make: (site) => site.apply(OLD_ISTIOD),
    mend: (site) => site.kubectl("delete", "deployment", "istiod-old"),
  },
  {
    code: "IVM305",
    what: "a webhook that nobody serves",
    says: /istio-old.*default\/istiod-old has no ready endpoint/,
    make: (site) => site.apply(OLD_WEBHOOK),
    mend: (site) => site.kubectl("delete", "validatingwebhookconfiguration", "istio-old"),
  },
  {
    code: "IVM607",
    what: "a pod that gets no answer from a service",
    says: /vmhttp\.vm/,
    make: (site) => scale(site, "sleep", "default", 0),
    mend: (site) => scale(site, "sleep", "default", 1),
  },
  {
    code: "IVM314",
    // Its webhook and its port are then dead as well, and the hosts lose it.
    also: ["IVM305", "IVM604"],
    may: ["IVM722", "IVM724"],
    what: "an istiod that does not run",
    says: /istiod/,
    make: (site) => scale(site, "istiod", "istio-system", 0),
    mend: async (site) => {
      await scale(site, "istiod", "istio-system", 1);
      await until("vm1 to be in touch again", 60, async () => (await site.findings()).length === 0);
    },
  },
];
