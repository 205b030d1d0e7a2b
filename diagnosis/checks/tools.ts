import { isInstalled } from "../../config";
import { isAtLeast, versionNumbers } from "../../mesh/version";
import { type Check, error, ofCluster, ofInstallation, ok, skipped, type Verdict, warning } from "./check";

/** Judges istioctl's version: what it makes belongs to exactly one version of istiod. */
function judgeIstioctl(found: string, wanted: string): Verdict[] {
  if (found === wanted) return ok(found);
  const fix = `put istioctl ${wanted} on the PATH, or change controlPlane.install.version`;
  return error(`istioctl is of version ${found}, but controlPlane.install.version is ${wanted}`, fix);
}

/** Why an istioctl won't do, and what to do, as `pulumi up` says it. */
export function istioctlProblem(found: string, wanted: string): string | undefined {
  const problem = judgeIstioctl(found, wanted).find(({ result }) => result === "error");
  return problem && `${problem.message}: ${problem.fix}`;
}

const onPath = (tool: string, version: string | undefined) =>
  version === undefined ? error(`${tool} is not on the PATH`) : ok(version);

export const tools: Check[] = [
  {
    code: "IVM101",
    title: "pulumi is installed",
    why: "Nothing runs without Pulumi's engine. The program is written for its third major version, and asks it to be told before a join begins (resource hooks), and to keep what a host said (Stash), as it does from 3.215 on.",
    fix: "install the Pulumi CLI: https://www.pulumi.com/docs/install/",
    evaluate: ({ tools: { pulumi } }) =>
      pulumi !== undefined && (versionNumbers(pulumi)?.[0] !== 3 || !isAtLeast(pulumi, "3.215"))
        ? error(`pulumi is of version ${pulumi}, but the program needs version 3, from 3.215 on`)
        : onPath("pulumi", pulumi),
  },
  {
    code: "IVM102",
    title: "istioctl is installed",
    why: "The objects of the control plane are what `istioctl manifest generate` makes.",
    fix: "install the istioctl that controlPlane.install.version names: https://istio.io/latest/docs/setup/additional-setup/download-istio-release/",
    evaluate: ({ tools: { istioctl }, config }) =>
      config !== undefined && !isInstalled(config)
        ? skipped("nothing is installed: the control plane is there already")
        : onPath("istioctl", istioctl),
  },
  {
    code: "IVM103",
    title: "istioctl is of the version that is installed",
    why: "istioctl's manifest belongs to exactly one version of istiod; another one would install another Istio.",
    fix: "put the istioctl of that version on the PATH, or change controlPlane.install.version",
    evaluate: ofInstallation(({ version }, { tools: { istioctl } }) => {
      if (istioctl === undefined) return skipped("there is no istioctl");
      return judgeIstioctl(istioctl, version);
    }),
  },
  {
    code: "IVM104",
    title: "kubectl is installed",
    why: "`serviceCidr: auto` asks the cluster with kubectl, and `pulumi destroy` removes what istiod left behind with it.",
    fix: "install kubectl: https://kubernetes.io/docs/tasks/tools/",
    evaluate: ({ tools: { kubectl } }) => onPath("kubectl", kubectl),
  },
  {
    code: "IVM105",
    title: "kubectl fits the cluster",
    why: "kubectl is supported within one minor version of the API server (kubernetes.io/releases/version-skew-policy).",
    fix: "install a kubectl of the cluster's minor version",
    evaluate: ofCluster(["version"], ({ version }, { tools: { kubectl } }) => {
      if (kubectl === undefined) return skipped("there is no kubectl");
      const [mine = 0, theirs = 0] = [versionNumbers(kubectl)?.[1], versionNumbers(version)?.[1]];
      return Math.abs(mine - theirs) <= 1
        ? ok(`${kubectl} for ${version}`)
        : warning(`kubectl is of version ${kubectl}, the cluster of ${version}: more than one minor version apart`);
    }),
  },
  {
    code: "IVM106",
    title: "Node.js is recent enough",
    why: "The program and its libraries are written for this version of Node.js and later.",
    fix: "install a later Node.js: https://nodejs.org",
    evaluate: ({ tools: { node, nodeWanted } }) =>
      isAtLeast(node, nodeWanted) ? ok(node) : error(`Node.js is of version ${node}, but ${nodeWanted} is needed`),
  },
  {
    code: "IVM107",
    title: "the stack can be read",
    why: "Without its configuration and its passphrase or key, no update can begin.",
    fix: "pulumi login; pulumi stack select STACK; export PULUMI_CONFIG_PASSPHRASE_FILE=FILE",
    evaluate: ({ stackProblem }) => (stackProblem === undefined ? ok() : error(stackProblem)),
  },
];
