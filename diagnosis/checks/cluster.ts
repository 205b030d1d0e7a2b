import { isInstalled } from "../../config";
import { isExisting, wantedNamespaces } from "../../config/namespaces";
import { covers, isWithin } from "../../mesh/addresses";
import { exposureOf } from "../../mesh/exposure";
import {
  about,
  type Check,
  type Configured,
  each,
  error,
  ofCluster,
  ofConfig,
  ok,
  skipped,
  type Verdict,
  warning,
} from "./check";
import { brokenBy, exposedServices } from "../exposed";
import { type Cluster, type ClusterFacts, isAvailable, isOurs, isUnavailable, type Outputs } from "../facts";

/** A check of what the last update made. */
const installed = <Needed extends keyof ClusterFacts>(
  needed: Needed[],
  judge: (cluster: Pick<ClusterFacts, Needed>, outputs: Outputs, facts: Configured) => Verdict[],
) =>
  ofCluster(needed, (cluster, facts) =>
    facts.outputs === undefined ? skipped("nothing is installed yet") : judge(cluster, facts.outputs, facts),
  );

/** Why facts could not be read, each reason once: because this user may not, or because nothing of use was answered. */
function unread(cluster: Cluster, forbidden: boolean): string[] {
  const refused = Object.values(cluster).filter(isUnavailable);
  return [...new Set(refused.filter((fact) => (fact.forbidden ?? false) === forbidden).map(({ problem }) => problem))];
}

export const cluster: Check[] = [
  {
    code: "IVM301",
    title: "the cluster answers",
    why: "Everything but the hosts is made through the Kubernetes API.",
    fix: "kubectl cluster-info; set cluster.kubeconfig and cluster.context",
    evaluate: ofConfig(({ cluster, tools: { kubectl } }) => {
      if (kubectl === undefined) return skipped("there is no kubectl (IVM104)");
      if (!isAvailable(cluster)) return cluster.forbidden ? ok() : error(cluster.problem);
      const { version } = cluster;
      const unanswered = unread(cluster, false);
      if (unanswered.length > 0) return unanswered.flatMap((problem) => error(problem));
      return isAvailable(version) ? ok(`Kubernetes ${version}`) : ok();
    }),
  },
  {
    code: "IVM302",
    title: "Istio supports this cluster",
    why: "What `istioctl experimental precheck` of this very istioctl reports: a Kubernetes that is too old, CRDs that clash.",
    fix: "istioctl experimental precheck",
    evaluate: ofCluster(["precheck"], ({ precheck }, { tools: { istioctl }, config }) =>
      !isInstalled(config) || istioctl === undefined
        ? skipped(isInstalled(config) ? "there is no istioctl" : "Istio runs here already")
        : each(precheck, ({ code, level, message }) => (level === "Error" ? error : warning)(`${code}: ${message}`)),
    ),
  },
  {
    code: "IVM303",
    title: "you may make every kind of object",
    why: "An update that is refused half way leaves a control plane in pieces. Asked by SelfSubjectAccessReview for every kind and verb, in each namespace that is used. What you may not even read, doctor can't judge.",
    fix: "kubectl auth can-i --list --namespace=NAMESPACE; README.md lists the rights that an existing mesh takes; an installation takes cluster-admin",
    evaluate: ofConfig(({ cluster }) => {
      if (!isAvailable(cluster)) {
        return cluster.forbidden ? error(cluster.problem) : skipped("the cluster could not be asked");
      }
      const { forbidden } = cluster;
      return each(
        [
          ...(isAvailable(forbidden) && forbidden.length > 0 ? [`you may not ${forbidden.join(", ")}`] : []),
          ...unread(cluster, true),
        ],
        (problem) => error(problem),
      );
    }),
  },
  {
    code: "IVM304",
    title: "no other Istio is there",
    why: "Two control planes fight over webhooks, and each root ConfigMap has one owner only.",
    fix: "use another cluster; or, if nobody needs that Istio, remove it as it was installed (never by istioctl uninstall --purge, which takes this stack's Istio with it)",
    evaluate: ofCluster(["istiods"], ({ istiods }, facts) => {
      if (!isInstalled(facts.config)) return skipped("hosts join the one that is there");
      const others = istiods.filter((istiod) => !isOurs(istiod, facts));
      return each(others, ({ namespace, name, owner }) =>
        owner === undefined
          ? error(`${namespace}/${name} was installed by something else`)
          : error(
              `${namespace}/${name} was installed by the stack with owner mark ${owner}`,
              "use another cluster, or destroy that stack",
            ),
      );
    }),
  },
  {
    code: "IVM305",
    title: "Istio's webhooks are served",
    why: "A webhook that an earlier Istio left behind refuses every pod or Istio object, as nobody answers it.",
    fix: "if that Istio is gone for good: kubectl delete mutatingwebhookconfiguration,validatingwebhookconfiguration NAME",
    evaluate: ofCluster(["deadWebhooks"], ({ deadWebhooks }, facts) =>
      each(deadWebhooks, ({ name, service, owner }) =>
        error(
          `nobody answers for the webhook ${name}: the Service ${service} has no ready endpoint`,
          // This stack's is needed: it is served again as soon as istiod runs.
          isOurs({ owner }, facts) ? "see IVM314: istiod must run again" : undefined,
        ),
      ),
    ),
  },
  {
    code: "IVM306",
    title: "serviceCidr covers the cluster's services",
    why: "Traffic to services outside of it bypasses the sidecars of the hosts.",
    fix: "set serviceCidr to auto, or to the cluster's range",
    evaluate: ofCluster(["serviceCidr"], ({ serviceCidr: actual }, { config }) => {
      const { serviceCidr: wanted } = config;
      if (wanted === "auto" || wanted === "*") return ok(wanted === "auto" ? actual : wanted);
      if (actual === "*") return skipped("the cluster does not tell its service range");
      const missed = actual.split(",").filter((range) => !wanted.split(",").some((outer) => covers(outer, range)));
      return missed.length === 0
        ? ok(wanted)
        : error(`serviceCidr is ${wanted}, but the cluster's services are in ${actual}`);
    }),
  },
  {
    code: "IVM307",
    title: "nodeAddresses belong to nodes",
    why: "Hosts look for istiod at these addresses.",
    fix: "kubectl get nodes -o wide; a virtual or translated address in front of the nodes is fine",
    evaluate: ofCluster(["nodes"], ({ nodes }, { config }) => {
      const { istiod } = exposureOf(config.exposure, { installed: isInstalled(config) });
      if (istiod.by !== "nodePort") return skipped(`exposure is ${config.exposure.type}`);
      return istiod.nodeAddresses.flatMap((address) => {
        const node = nodes.find(({ addresses }) => addresses.includes(address));
        if (node === undefined) return warning(`no node has the address ${address} of exposure.nodeAddresses`);
        return node.ready ? ok(node.name) : error(`${address} is the address of ${node.name}, which is not ready`);
      });
    }),
  },
  {
    code: "IVM308",
    title: "a node is ready",
    why: "Without one istiod is never scheduled, and the update waits for it in vain.",
    fix: "kubectl describe nodes",
    evaluate: ofCluster(["nodes"], ({ nodes }) => {
      const ready = nodes.filter((node) => node.ready).length;
      return ready > 0
        ? ok(`${ready} of ${nodes.length}`)
        : error(nodes.length === 0 ? "the cluster has no nodes" : `no node is ready; there are ${nodes.length}`);
    }),
  },
  {
    code: "IVM309",
    title: "namespaces to be made are not there yet",
    why: "A namespace that somebody else made is not taken over, and would be removed by `pulumi destroy`.",
    fix: "add it to cluster.existingNamespaces, or name another",
    evaluate: ofCluster(["namespaces"], ({ namespaces }, facts) => {
      const toBeMade = wantedNamespaces(facts.config).filter((name) => !isExisting(facts.config, name));
      const foreign = namespaces.filter((namespace) => toBeMade.includes(namespace.name) && !isOurs(namespace, facts));
      return each(foreign, ({ name }) =>
        about(
          name,
          error(
            `the namespace ${name} is there already, and this stack did not make it`,
            name === "istio-system" ? "if nobody needs it: kubectl delete namespace istio-system" : undefined,
          ),
        ),
      );
    }),
  },
  {
    code: "IVM310",
    title: "existing namespaces exist",
    why: "What cluster.existingNamespaces names is not made.",
    fix: "kubectl create namespace NAME, or take it off cluster.existingNamespaces",
    evaluate: ofCluster(["namespaces"], ({ namespaces }, { config }) => {
      const wanted = wantedNamespaces(config).filter((name) => isExisting(config, name));
      const missing = wanted.filter((name) => !namespaces.some((namespace) => namespace.name === name));
      return each(missing, (name) =>
        about(name, error(`the namespace ${name} does not exist`, `kubectl create namespace ${name}`)),
      );
    }),
  },
  {
    code: "IVM311",
    title: "the cluster's DNS answers",
    why: "Pods find a host's service by its name, and istiod finds the API server.",
    fix: "kubectl get services --all-namespaces | grep 53/UDP, and look at the pods behind the cluster's DNS server",
    evaluate: ofCluster(["dns"], ({ dns: { resolves, servers } }, { config: { cluster } }) => {
      const ready = servers.filter((server) => server.ready).map(({ name }) => name);
      const silent = servers.filter((server) => !server.ready).map(({ name }) => name);
      if (resolves) return ok("names resolve in a pod");
      const why = silent.length === 0 ? "" : `; no endpoint is ready of ${silent.join(", ")}`;
      if (resolves === false) {
        return error(`kubernetes.default.svc.${cluster.domain} does not resolve in the sample client's pod${why}`);
      }
      if (servers.length === 0) return skipped("there is no pod to ask from, and no Service that looks like its DNS");
      // Pods may be told another server than this: one on each node, or the cloud's.
      return ready.length > 0 ? ok(ready.join(", ")) : warning(`it may not answer${why}`);
    }),
  },
  {
    code: "IVM312",
    title: "addresses do not overlap",
    why: "A host at an address of a pod, a service or a node never gets its traffic.",
    fix: "give the host another address, or correct hosts[].address",
    evaluate: ofCluster(["nodes", "serviceCidr"], ({ nodes, serviceCidr }, { config }) => {
      const ranges = [
        ...nodes.flatMap(({ name, podCidrs }) => podCidrs.map((range) => ({ range, of: `the pods of ${name}` }))),
        ...(serviceCidr === "*"
          ? []
          : serviceCidr.split(",").map((range) => ({ range, of: "the cluster's services" }))),
      ];
      const taken = config.hosts
        .filter(({ gone }) => !gone)
        .flatMap(({ name, address }) => {
          const node = nodes.find(({ addresses }) => addresses.includes(address));
          if (node !== undefined)
            return about(name, error(`${name}: ${address} is the address of the node ${node.name}`));
          const overlap = ranges.find(({ range }) => isWithin(address, range));
          return overlap === undefined
            ? []
            : about(name, error(`${name}: ${address} lies in ${overlap.range}, the range of ${overlap.of}`));
        });
      return taken.length === 0 ? ok() : taken;
    }),
  },
  {
    code: "IVM313",
    title: "explicit node ports are in the cluster's range",
    why: "The API server refuses a Service with a node port outside of its range, or with one that is taken.",
    fix: "change or remove nodePort in the IstioOperator",
    evaluate: ofCluster(["refusedNodePorts"], ({ refusedNodePorts }, { outputs }) =>
      outputs !== undefined
        ? skipped("they are in use by this stack")
        : each(refusedNodePorts, (words) => error(words)),
    ),
  },
  {
    code: "IVM314",
    title: "istiod runs",
    why: "Sidecars keep their last configuration without it, but no new one joins and certificates are not renewed.",
    fix: "kubectl -n istio-system describe deployment istiod; npx istio-vm logs istiod",
    evaluate: installed(["istiods"], ({ istiods }, _outputs, facts) => {
      if (!isInstalled(facts.config)) return skipped("istiod is not this stack's (IVM317)");
      const ours = istiods.find((istiod) => isOurs(istiod, facts));
      if (ours === undefined) return error("the deployment istiod is gone", "pulumi refresh && pulumi up");
      const { available, wanted } = ours;
      if (available === 0) return error(`no pod of istiod is available; there should be ${wanted}`);
      return available < wanted
        ? warning(`only ${available} of ${wanted} pods of istiod are available`)
        : ok(`${available} of ${wanted}`);
    }),
  },
  {
    code: "IVM315",
    title: "istiod is where the hosts were told",
    why: "A Service that was made anew has another node port, and every host still knocks at the old one; from a gateway that was installed anew istiod's port is gone.",
    fix: "pulumi up --refresh",
    evaluate: installed(["istiodServices"], ({ istiodServices }, outputs, { config }) => {
      const exposed = exposedServices(config, outputs);
      if (exposed.length === 0) return skipped(`exposure is ${config.exposure.type}`);
      return exposed.flatMap((one) => {
        const problem = brokenBy(one, istiodServices);
        return problem === undefined ? ok(`${one.namespace}/${one.service}`) : error(problem);
      });
    }),
  },
  {
    code: "IVM316",
    title: "istioctl accepts the IstioOperator",
    why: "An IstioOperator that istioctl refuses ends the update before the control plane is made.",
    fix: "correct controlPlane.install.operator; istioctl manifest generate --filename=FILE",
    evaluate: ofCluster(["manifestProblem"], ({ manifestProblem }, { tools: { istioctl }, config }) => {
      if (!isInstalled(config)) return skipped("nothing is installed");
      if (istioctl === undefined) return skipped("there is no istioctl");
      return manifestProblem === undefined ? ok() : error(manifestProblem);
    }),
  },
  {
    code: "IVM317",
    title: "hosts can join the mesh that is there",
    why: "What the program must know of an existing control plane is read from the cluster; what contradicts the configuration is refused before anything changes.",
    fix: "correct controlPlane.existing, exposure and cluster as the message says; istioctl tag list shows revisions and tags",
    evaluate: ofCluster(["existing"], ({ existing }, { config }) => {
      if (isInstalled(config) || existing === undefined) return skipped("the stack installs its own");
      if ("refusal" in existing) return error(existing.refusal);
      const found = Object.entries(existing.versions);
      return ok(found.map(([revision, version]) => `${revision}: ${version}`).join(", "));
    }),
  },
];
