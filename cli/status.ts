import { setTimeout as delay } from "node:timers/promises";
import {
  ENDED_HEADINGS,
  HOST_HEADINGS,
  type MeshStatus,
  meshStatus,
  SERVICE_HEADINGS,
  statusRows,
} from "../diagnosis/status";
import { kubectlFor } from "../tools/kubectl";
import { unavailable } from "./facts/answers";
import { endedIdentities } from "./facts/ended";
import { sickHosts } from "./facts/health";
import { glanceAtHosts, watchHosts } from "./facts/hosts";
import { requestServices } from "./facts/requests";
import { foresee, forecastExit, renderForecast } from "./forecast";
import { exitCode, print } from "./output";
import { startProgress } from "./progress";
import { type ConfiguredStack, readStack, requireConfig } from "./stack";
import { markedTable } from "./table";

export interface StatusOptions {
  stack?: string;
  output: "text" | "json";
  strict: boolean;
  watch: boolean;
  /** How far to look ahead instead, seconds. */
  forecast?: number;
}

/** Milliseconds between two looks. */
const INTERVAL = 2000;

/** What runs now, seen from the hosts themselves and by a real request from a pod. */
export async function look(stack: ConfiguredStack, progress = startProgress(false)): Promise<MeshStatus> {
  const [hosts, { requests, ...more }] = await Promise.all([
    glanceAtHosts(stack, progress.count("hosts", stack.config.hosts.length)),
    askCluster(stack),
  ]);
  progress.end();
  return meshStatus(stack, hosts, requests, new Date(), more);
}

const askEnded = async ({ config, outputs, owner }: ConfiguredStack) =>
  outputs && owner ? endedIdentities(kubectlFor(config.cluster), outputs, owner).catch(unavailable) : [];

const askSick = async ({ config, outputs }: ConfiguredStack) =>
  outputs ? sickHosts(config, kubectlFor(config.cluster)) : undefined;

const askServices = async ({ config, outputs }: ConfiguredStack) =>
  outputs && requestServices(config, outputs, kubectlFor(config.cluster));

/** What the cluster says of it, everything at the same time. */
async function askCluster(stack: ConfiguredStack) {
  const [requests, ended, sick] = await Promise.all([askServices(stack), askEnded(stack), askSick(stack)]);
  return { requests, ended, sick };
}

/** Prints what runs now, once or again and again, or what ends. @returns the exit code */
export async function status({ stack: name, output, strict, watch, forecast }: StatusOptions): Promise<number> {
  const progress = startProgress();
  progress.step("the stack");
  const stack = requireConfig(await readStack(name));
  if (forecast !== undefined) {
    const found = await foresee(stack, forecast, progress);
    print(output === "json" ? JSON.stringify(found, null, 2) : renderForecast(found));
    return forecastExit(found, strict);
  }
  const text = (now: MeshStatus) => (output === "json" ? JSON.stringify(now, null, 2) : render(now, new Date()));
  if (!watch) {
    const now = await look(stack, progress);
    print(text(now));
    const all = [...now.hosts, ...now.services];
    return exitCode(
      all.map(({ health }) => ({ result: health })),
      strict,
    );
  }
  const hosts = await watchHosts(stack, progress.count("hosts", stack.config.hosts.length));
  progress.end();
  for (;;) {
    const { requests, ...more } = await askCluster(stack);
    const now = text(meshStatus(stack, hosts, requests, new Date(), more));
    // From the top left corner, and nothing below it: without the flicker of an empty screen.
    print(output === "text" ? `\x1b[H\x1b[J${now}` : now);
    await delay(INTERVAL);
  }
}

function render(now: MeshStatus, at: Date): string {
  const { hosts, services, ended } = statusRows(now, at);
  const doubtful = ended.map(() => ({ health: "warning" as const }));
  const parts = [markedTable(HOST_HEADINGS, hosts, now.hosts)];
  if (services.length > 0) parts.push(markedTable(SERVICE_HEADINGS, services, now.services));
  if (ended.length > 0) parts.push(markedTable(ENDED_HEADINGS, ended, doubtful));
  return parts.join("\n\n");
}
