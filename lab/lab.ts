/** The lab as a whole: build, up, down, status, clean. */
import { existsSync, readFileSync, rmSync, symlinkSync, lstatSync } from "node:fs";
import { join } from "node:path";
import { artifactPath, build, isBuilt, use } from "./artifacts";
import { endMachine, leaderOf, machinesWithCgroups } from "./cgroups";
import { makeDual } from "./dual";
import { prepareTools } from "./exec";
import { checkFirewalls, checkInotify } from "./kernel";
import { isRunning, logOf } from "./launch";
import { withLock } from "./lock";
import { startNetwork, stopNetwork } from "./network";
import { importImages, startNode } from "./node";
import { startPackages } from "./packages";
import {
  bridge,
  cacheFolder,
  checkout,
  knownVms,
  listFolder,
  node,
  packageUrl,
  rpmVm,
  vmByName,
  type Lab,
} from "./paths";
import { checkMachine, installPackages, provideGo } from "./preflight";
import { runSteps, type Step } from "./progress";
import { earlierRecipes, recipes, testRecipes } from "./recipes";
import { earlierImages } from "./recipes/images";
import { earlierIstio, istio } from "./recipes/istio";
import { pulumi } from "./recipes/pulumi";
import { earlierSidecar, sidecar } from "./recipes/sidecar";
import { sidecarRpm } from "./recipes/sidecarRpm";
import { Log } from "./run";
import { prepareVms, startVm } from "./vm";

/** Builds the artifacts that are missing, as their recipes stand now; for a lab, if one is given, what it wants. */
export async function buildArtifacts(lab?: Lab, wanted = [...recipes, ...testRecipes]): Promise<void> {
  const missing = wanted.filter((recipe) => !isBuilt(recipe));
  // A cold build takes about 15 GB, compilers' caches included.
  await checkMachine(3 + missing.length);
  // Noted before they are built: another lab's build must not prune them meanwhile.
  if (lab) for (const recipe of wanted) use(lab.state, `latest-${recipe.name}`, recipe);
  await installPackages(new Log(join(cacheFolder, "log", "packages.log")));
  await checkFirewalls();
  if (missing.length === 0) return;
  provideGo();
  const steps: Step[] = [];
  for (const recipe of missing) {
    steps.push({
      title: recipe.title,
      log: new Log(join(cacheFolder, "log", `${recipe.name}.log`)),
      name: recipe.name,
      needs: steps.filter((step) => recipe.needs?.some((need) => need.name === step.name)),
      run: (log) => build(recipe, log),
    });
  }
  // Compilers use both cores, downloads none: two at once. Each comes after those it needs, so none waits for ever.
  await runSteps(steps, 2);
}

/** What a lab may have beside the usual. */
export interface Extras {
  /** What tests need of it (recipes/index.ts). */
  tests: boolean;
  /** The machine with rpm, which is of that. */
  rpm: boolean;
  /** IPv6 beside IPv4. A lab that has it keeps it. */
  dual: boolean;
  /** An earlier Istio beside the lab's own: its istioctl, images and package. */
  earlier: boolean;
}

/** Brings the lab up: builds what is missing, starts what does not run, and waits until all of it answers. */
export async function up(lab: Lab, vms: number, { tests, rpm, dual, earlier }: Extras): Promise<void> {
  const names = [...Array.from({ length: vms }, (_, index) => `vm${index + 1}`), ...(rpm ? [rpmVm] : [])];
  const stopped = names.filter((name) => !leaderOf(lab, name));
  checkInotify({ node: !leaderOf(lab, "node"), vms: stopped.length });
  await buildArtifacts(lab, [...recipes, ...(tests || rpm ? testRecipes : []), ...(earlier ? earlierRecipes : [])]);
  await withLab(lab, async () => {
    if (dual) makeDual(lab);
    for (const recipe of [istio, ...(earlier ? [earlierIstio] : [])]) use(lab.state, recipe.name, recipe);
    use(lab.state, "pulumi", pulumi);
    await prepareVms(lab, names);
    prepareTools(lab);
    const machine = (title: string, name: string, start: () => Promise<void>): Step => {
      return { title, log: new Log(logOf(lab, name)), run: start };
    };
    if (lab.name === "demo") linkState(lab);
    await startNetwork(lab);
    const packages = [sidecar, ...(rpm ? [sidecarRpm] : []), ...(earlier ? [earlierSidecar] : [])];
    await runSteps(
      [
        machine(`Kubernetes node ${node.name} ${node.address}`, "node", () => startNode(lab)),
        machine(`package server ${packageUrl}`, "packages", () => startPackages(lab, packages)),
        ...names.map((name) => machine(`${name} ${vmByName(lab, name).address}`, name, () => startVm(lab, name))),
      ],
      2,
    );
    if (earlier) await importImages(lab, earlierImages);
  });
}

/** Stops the lab: no process, mount, interface, rule or cgroup of it is left. Its state stays for the next `up`. */
export async function down(lab: Lab): Promise<void> {
  await withLab(lab, () => stop(lab));
}

/** Stops the lab and forgets its state. */
export async function clean(lab: Lab): Promise<void> {
  await withLab(lab, async () => {
    await stop(lab);
    rmSync(lab.state, { recursive: true, force: true });
    if (lab.name === "demo") rmSync(join(checkout, ".lab"), { force: true });
  });
}

/** Removes all artifacts. @throws if another lab has a state, which needs them */
export function cleanCache(): void {
  const labs = listFolder(join(cacheFolder, "state"));
  if (labs.length > 0) {
    const commands = labs.map((name) => `LAB_NAME=${name} npx tsx lab/main.ts clean`);
    throw new Error(`labs still use the artifacts; remove them first:\n${commands.join("\n")}`);
  }
  rmSync(cacheFolder, { recursive: true, force: true });
}

/** One line for each part of the lab. */
export function status(lab: Lab): string {
  const parts = [
    { name: "node", address: node.address },
    { name: "packages", address: bridge.address },
    ...knownVms(lab),
  ];
  const rows = parts.map(({ name, address }) => {
    const pid = leaderOf(lab, name);
    return [name, address, isRunning(lab, name) ? "running" : "stopped", pid ? `pid ${pid}` : ""];
  });
  const table = rows.map((row) => row.map((cell, column) => cell.padEnd([10, 14, 9, 0][column]!)).join("")).join("\n");
  const missing = recipes.filter((recipe) => !isBuilt(recipe)).map((recipe) => recipe.title);
  return [
    `lab ${lab.name}: network ${existsSync(lab.netnsFile) ? lab.netns : "not there"}, state ${lab.state}`,
    table,
    missing.length > 0 ? `to be built: ${missing.join("; ")}` : "artifacts: all built",
    isBuilt(pulumi) ? readFileSync(join(artifactPath(pulumi), "origin"), "utf8").trim() : "",
  ].join("\n");
}

async function stop(lab: Lab): Promise<void> {
  await Promise.all(machinesWithCgroups(lab).map((machine) => endMachine(lab, machine)));
  await stopNetwork(lab);
}

/** Only one process at a time changes a lab. */
const withLab = (lab: Lab, work: () => Promise<void>) =>
  withLock(join(cacheFolder, "locks", `lab-${lab.name}`), `the lab "${lab.name}"`, work);

/** `.lab` in the checkout: where people and Pulumi.dev.yaml find keys and kubeconfig. */
function linkState(lab: Lab): void {
  const link = join(checkout, ".lab");
  if (lstatSync(link, { throwIfNoEntry: false })) rmSync(link);
  symlinkSync(lab.state, link);
}
