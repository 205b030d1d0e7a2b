/** The Kubernetes node: a process in namespaces of its own, with a Debian root and the daemons of a cluster. */
import { copyFileSync, cpSync, existsSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { artifactPath, type Recipe, use } from "./artifacts";
import { endMachine, leaderOf } from "./cgroups";
import { isDual } from "./dual";
import { labEnvironment } from "./exec";
import { launch, logOf } from "./launch";
import { hasLink } from "./network";
import { bridge, folder, labFolder, type Lab } from "./paths";
import { images } from "./recipes/images";
import { kubernetes } from "./recipes/kubernetes";
import { nodeRoot } from "./recipes/roots";
import { Log, run, until } from "./run";

const machine = "node";
const link = "node";

/** Starts the node, unless it runs, and waits until the cluster takes work. */
export async function startNode(lab: Lab): Promise<void> {
  if (!leaderOf(lab, machine)) await boot(lab);
  if (!(await hasLink(lab, link))) {
    // Always the same hardware address: the VMs remember it while the node restarts.
    const peer = `name eth0 address 02:00:ac:1e:00:0a netns ${leaderOf(lab, machine)}`;
    await run(["ip", "-n", lab.netns, "link", "add", link, "type", "veth", "peer", ...peer.split(" ")]);
  }
  await run(["ip", "-n", lab.netns, "link", "set", link, "master", bridge.name, "up"]);
  await waitUntilReady(lab);
}

async function boot(lab: Lab): Promise<void> {
  // A node whose first process was killed may have left cgroups, and processes that are about to end.
  await endMachine(lab, machine);
  await until("the old node's network to go", 10, async () => !(await hasLink(lab, link)));
  const home = folder(lab.state, "node");
  await makePki(lab, home);
  for (const name of ["upper", "work"]) rmSync(join(home, name), { recursive: true, force: true });
  for (const name of ["root", "upper", "work", "log", "var/containerd", "var/kubelet", "var/cni"]) folder(home, name);
  // The running node must not change when the checkout does.
  rmSync(join(home, "config"), { recursive: true, force: true });
  cpSync(join(labFolder, "node"), join(home, "config"), { recursive: true });
  if (isDual(lab)) cpSync(join(labFolder, "node", "dual"), join(home, "config"), { recursive: true });
  copyFileSync(join(home, "pki", "admin.kubeconfig"), join(lab.state, "kubeconfig"));
  const unshare = "unshare --net --mount --uts --ipc --pid --fork --kill-child";
  use(lab.state, "node-root", nodeRoot);
  use(lab.state, "kubernetes", kubernetes);
  use(lab.state, "images", images);
  launch(lab, machine, [...unshare.split(" "), join(home, "config", "root.sh")], {
    NODE: home,
    ROOT: artifactPath(nodeRoot),
    BIN: join(artifactPath(kubernetes), "bin"),
    IMAGES: artifactPath(images),
    DUAL: isDual(lab) ? "yes" : "",
  });
  await until(
    "the node's first process",
    10,
    () => leaderOf(lab, machine),
    () => new Log(logOf(lab, machine)).tail(),
  );
}

/** Gives the running node further images. */
export async function importImages(lab: Lab, recipe: Recipe): Promise<void> {
  use(lab.state, recipe.name, recipe);
  const enter = ["nsenter", `--target=${leaderOf(lab, machine)}`, "--all", "--"];
  const script = 'exec <"$0"; exec "$@" ctr --namespace k8s.io images import -';
  const archive = join(artifactPath(recipe), "images.tar");
  await run(["sh", "-c", script, archive, ...enter], { log: new Log(logOf(lab, machine)), timeout: 120 });
}

/** Makes the cluster's certificates, unless they are there. */
async function makePki(lab: Lab, home: string): Promise<void> {
  const complete = join(home, "pki");
  if (existsSync(complete)) return;
  const unfinished = join(home, "pki.unfinished");
  rmSync(unfinished, { recursive: true, force: true });
  await run([join(labFolder, "node", "pki.sh"), folder(unfinished)], { log: new Log(logOf(lab, machine)) });
  renameSync(unfinished, complete);
}

async function waitUntilReady(lab: Lab): Promise<void> {
  const home = join(lab.state, "node");
  // A restarted cluster first shows what was true before: only what is newer than the boot counts.
  const booted = statSync(join(home, "config")).ctimeMs;
  let missing = "";
  const check = async () => {
    missing = await notReady(lab, booted);
    return !missing;
  };
  await until("the cluster to be ready", 90, check, () => {
    const logs = [logOf(lab, machine), ...["restarts", "kubelet"].map((name) => join(home, "log", `${name}.log`))];
    return [missing, ...logs.map((path) => `--- ${path}\n${new Log(path).tail(5)}`)].join("\n");
  });
}

/** What the cluster lacks to take work; nothing if it is ready. */
async function notReady(lab: Lab, booted: number): Promise<string> {
  // The cluster writes whole seconds, rounded down.
  const isNew = (time: string | undefined) => time !== undefined && Date.parse(time) + 1000 > booted;
  let list: { items: ApiObject[] };
  try {
    const answer = await kubectl(lab, "get", "nodes,pods", "--namespace=kube-system", "--output=json");
    list = JSON.parse(answer) as { items: ApiObject[] };
  } catch (error) {
    return (error as Error).message;
  }
  const isReady = list.items.some(({ kind, status }) => {
    const ready = status.conditions?.find(({ type }) => type === "Ready");
    return kind === "Node" && ready?.status === "True" && isNew(ready.lastHeartbeatTime);
  });
  if (!isReady) return "the node is not Ready";
  const hasDns = list.items.some(
    ({ kind, status }) =>
      kind === "Pod" &&
      status.containerStatuses?.every(({ ready, state }) => ready && isNew(state?.running?.startedAt)),
  );
  return hasDns ? "" : "CoreDNS is not ready";
}

interface ApiObject {
  kind: string;
  status: {
    conditions?: { type: string; status: string; lastHeartbeatTime?: string }[];
    containerStatuses?: { ready: boolean; state?: { running?: { startedAt: string } } }[];
  };
}

/** Runs kubectl in the lab's network, as the cluster's admin. Returns its stdout. */
export function kubectl(lab: Lab, ...args: string[]): Promise<string> {
  const env = labEnvironment(lab);
  return run(["nsenter", `--net=${lab.netnsFile}`, "kubectl", ...args], { env, timeout: 10 });
}
