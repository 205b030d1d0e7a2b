import { createInterface } from "node:readline";
import { PassThrough, type Readable } from "node:stream";
import { execa } from "execa";
import type { Client } from "ssh2";
import type { Config, HostConfig } from "../config";
import { linesOf, redact } from "../diagnosis/causes/logLine";
import type { Log } from "../diagnosis/causes";
import { type Istiod, istiodsOf } from "../diagnosis/facts";
import { logsCommand, PROLOGUE } from "../ssh/commands";
import { run } from "../ssh/session";
import { accessFlags, type Kubectl, kubectlFor } from "../tools/kubectl";
import { HostError, withHost } from "./hostSession";
import { print } from "./output";
import { type ConfiguredStack, readStack, requireConfig } from "./stack";

export interface LogsOptions {
  stack?: string;
  /** How many lines to begin with. */
  lines: number;
  follow: boolean;
}

/** Stands between the journal, istio.err.log and istio.log. */
const SEPARATOR = "\x1e";

/** Prints the last $1 lines of each log of a host. */
export const READ_SCRIPT = `${PROLOGUE}logs=\${ISTIO_LOGS:-/var/log/istio}
journalctl --unit=istio --no-pager --quiet --output=short-iso-precise --lines="$1"
for file in istio.err.log istio.log; do
  printf '\\036\\n'
  [ ! -e "$logs/$file" ] || tail -n "$1" "$logs/$file"
done
exit
`;

/** The same, and what comes after, until its input ends: with the SSH session, whatever has ended that. */
export const FOLLOW_SCRIPT = `${PROLOGUE}logs=\${ISTIO_LOGS:-/var/log/istio}
journalctl --unit=istio --no-pager --quiet --output=short-iso-precise --lines="$1" --follow &
journal=$!
tail --quiet --lines="$1" --follow=name --retry "$logs/istio.err.log" "$logs/istio.log" &
files=$!
trap 'kill "$journal" "$files"; exit 0' EXIT
trap exit INT TERM
`;

function mustSucceed({ exitCode, stderr }: { exitCode: number; stderr: string }): void {
  if (exitCode === 0) return;
  const reason = stderr.trim() || `the command ended with status ${exitCode}`;
  throw new HostError(/^sudo: /m.test(stderr) ? "sudo" : "script", `its logs can't be read: ${reason}`);
}

/** The last lines of each log of a host, by one SSH session. @throws HostError, or whatever ended the session */
export async function readHostLogs(stack: ConfiguredStack, host: HostConfig, lines: number): Promise<Log[]> {
  const outcome = await withHost(host, stack.secret, (client) => run(client, logsCommand(lines), READ_SCRIPT));
  mustSucceed(outcome);
  return outcome.stdout.split(SEPARATOR).map((text) => ({ where: host.name, writer: "host", text }));
}

/** The pods of that revision: hosts may belong to none of the others beside it. */
const podsOf = ({ namespace, revision }: Istiod): [namespace: string, selector: string] => [
  `--namespace=${namespace}`,
  `--selector=app=istiod${revision === undefined ? "" : `,istio.io/rev=${revision}`}`,
];

/**
 * The last lines of each pod of an istiod, and of the one before it in the same pod if that has crashed.
 *
 * @throws CommandError if the cluster does not answer
 */
export async function readIstiodLogs(kubectl: Kubectl, istiod: Istiod, lines: number): Promise<Log[]> {
  const state = "{.status.containerStatuses[0].restartCount} {.status.containerStatuses[0].state.running.startedAt}";
  const list = `--output=jsonpath={range .items[*]}{.metadata.name} ${state}{'\\n'}{end}`;
  const [inNamespace, selector] = podsOf(istiod);
  const pods = await kubectl(["get", "pods", inNamespace, selector, list]);
  if (pods.trim() === "") throw new Error(`there is no pod of ${istiod.service} in the namespace ${istiod.namespace}`);
  const logs = pods
    .trim()
    .split("\n")
    .map(async (pod): Promise<Log> => {
      const [where = "", restarts, running] = pod.split(" ");
      const read = (...flags: string[]) =>
        kubectl(["logs", inNamespace, where, "--container=discovery", `--tail=${lines}`, ...flags]);
      // Of one that waits for its next start, the log is that of the crash. After a reboot of the node there is no
      // earlier one, whatever the count says.
      const crashed = Number(restarts) > 0 && running ? await read("--previous").catch(() => "") : "";
      return { where, writer: "istiod", text: `${crashed}\n${await read()}` };
    });
  return Promise.all(logs);
}

/** Logs of one place as one, by time; without anything secret. */
export function mergeLogs(logs: Log[], lines: number): string[] {
  const all = logs.flatMap(({ text }) => linesOf(text));
  const time = (at?: Date) => at?.getTime() ?? 0;
  return all
    .sort((a, b) => time(a.at) - time(b.at))
    .slice(-lines)
    .map(({ text }) => text);
}

/** Prints what a stream says, line by line, until it ends. */
async function printLines(stream: Readable, show: (line: string) => void): Promise<void> {
  for await (const line of createInterface({ input: stream })) show(redact(line));
}

/** Runs FOLLOW_SCRIPT and prints what it says, until `stop` or the host ends it. */
export async function followHost(
  client: Client,
  command: string,
  stop: AbortSignal,
  show: (line: string) => void = print,
): Promise<void> {
  const said = new PassThrough();
  // Its stdin stays open: the end of it is what ends the script.
  const ended = run(client, command, FOLLOW_SCRIPT, { stays: stop, stdout: (chunk) => said.write(chunk) });
  const [outcome] = await Promise.all([ended.finally(() => said.end()), printLines(said, show)]);
  if (!stop.aborted) mustSucceed(outcome);
}

async function followIstiod({ cluster }: Config, istiod: Istiod, lines: number, stop: AbortSignal): Promise<void> {
  const flags = [...podsOf(istiod), "--container=discovery", `--tail=${lines}`];
  const kubectl = execa("kubectl", [...accessFlags(cluster), "logs", ...flags, "--follow"], {
    // Else execa takes Ctrl-C for the end of this process, which has yet to say how it went.
    cleanup: false,
    reject: false,
    buffer: false,
    stderr: "inherit",
  });
  stop.addEventListener("abort", () => kubectl.kill());
  await printLines(kubectl.stdout!, print);
  const { exitCode } = await kubectl;
  if (!stop.aborted && exitCode !== 0) throw new Error("kubectl logs failed: see above");
}

/** The host of that name. @param others what else may be named @throws with the names that there are */
export function hostByName({ hosts }: Config, name: string, ...others: string[]): HostConfig {
  const host = hosts.find((one) => one.name === name);
  if (host) return host;
  throw new Error(`there is no host "${name}": use one of ${[...others, ...hosts.map((one) => one.name)].join(", ")}`);
}

/**
 * Prints the logs of a host's agent and Envoy with the journal of their unit, or istiod's: the last lines, by time; with
 * `follow` also what comes, until Ctrl-C.
 *
 * @param args the name of a host, or `istiod`
 * @returns the exit code
 */
export async function logs({ stack: stackName, lines, follow }: LogsOptions, [name = ""]: string[]): Promise<number> {
  const stack = requireConfig(await readStack(stackName));
  const { config, secret } = stack;
  const host = name === "istiod" ? undefined : hostByName(config, name, "istiod");
  const istiods = istiodsOf(stack.outputs);
  if (!follow) {
    const kubectl = kubectlFor(config.cluster);
    const all = host
      ? [await readHostLogs(stack, host, lines)]
      : await Promise.all(istiods.map((istiod) => readIstiodLogs(kubectl, istiod, lines)));
    for (const line of mergeLogs(all.flat(), lines)) print(line);
    return 0;
  }
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort()).once("SIGTERM", () => stop.abort());
  await (
    host
      ? withHost(host, secret, (client) => followHost(client, logsCommand(lines), stop.signal))
      : Promise.all(istiods.map((istiod) => followIstiod(config, istiod, lines, stop.signal)))
  ).finally(() => stop.abort());
  return 0;
}
